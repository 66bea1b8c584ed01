"""Randomized trials: who gets which arm, by chance alone, unknown to all until it is done, and checked by anyone after."""
