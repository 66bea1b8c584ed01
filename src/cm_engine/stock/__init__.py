"""Stock: gift-card codes, prizes and whatever else lies in a drawer, from its purchase to the hand of a participant."""
