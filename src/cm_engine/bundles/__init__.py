"""Bundles: one enrollment as a file, for a participant who moves to a clinic with another database.

`layout`, `sealing` and `summary` are pure; `checking` reads a file and folds its log again; `leaving` and `arriving` write.
"""
