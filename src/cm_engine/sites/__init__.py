"""Sites: where participants are seen, when that is closed, and who pays for it."""
