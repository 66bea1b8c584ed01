"""Notifiers: by a mail server, by a signed webhook, and by the services that Apprise knows."""
