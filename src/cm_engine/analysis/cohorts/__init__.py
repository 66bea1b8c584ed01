"""Many participants: simulated, replayed from what came about, and budgeted."""
