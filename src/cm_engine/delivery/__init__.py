"""Delivery: from a payout that was decided to a participant who has it, once, whatever fails on the way."""
