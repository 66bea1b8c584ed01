"""Tests on what nobody here wrote; `make interop` fetches it, and says what it skips and why."""
