"""The way of an act: reported, queued, looked up, decided and written in one transaction, or not at all."""
