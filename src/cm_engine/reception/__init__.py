"""The reception of a sender: where what arrives meets the log, in one transaction."""
