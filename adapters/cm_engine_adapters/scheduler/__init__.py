"""Adapters that call an engine again and again, within a host's own process."""
