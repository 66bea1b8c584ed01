"""Messages: what is said to whom, whether it may be said now, and what was disclosed. Nothing here sends."""
