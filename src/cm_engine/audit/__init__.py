"""Everything decided again and compared with what is stored."""
