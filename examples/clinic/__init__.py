"""A small clinic application, written as an integrator would: the rewards are cm-engine's, the rest is its own."""
