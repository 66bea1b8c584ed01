"""The log of an enrollment: what was reported, what was decided, and where that leaves it. Pure, as the rules are."""
