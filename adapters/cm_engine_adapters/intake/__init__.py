"""What reads the documents of laboratories, charts and forms; one module for each format."""
