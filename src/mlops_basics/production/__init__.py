"""Which model serves: registry, releases, their checks and their history."""
