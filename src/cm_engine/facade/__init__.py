"""The parts that an `Engine` is put together of: each does one thing with the log in transactions of its own."""
