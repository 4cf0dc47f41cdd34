"""What a table is, and when it is refused."""
