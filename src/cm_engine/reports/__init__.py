"""Pages and tables: what the log says, as rows, and rows as text, HTML, CSV and JSON."""
