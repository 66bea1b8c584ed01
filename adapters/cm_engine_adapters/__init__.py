"""Adapters to outside technology, one module each, found by entry points as a stranger's would be."""
