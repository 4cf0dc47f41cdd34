"""What the configuration of a project may say."""
