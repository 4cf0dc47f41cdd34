"""What the commands do, a file or a folder each."""
