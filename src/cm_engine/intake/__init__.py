"""The way in: from what laboratories, charts and forms send, by the clinic's mapping, to what is recorded."""
