"""Double-entry postings from decisions, and what they add up to. Pure: no clock, disk, network or chance."""
