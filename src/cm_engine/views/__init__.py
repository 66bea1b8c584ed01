"""What is shown of an enrollment: its statement, what its next results would pay, its visits."""
