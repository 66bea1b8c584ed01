"""An explored program as a table for other languages, and two programs side by side."""
