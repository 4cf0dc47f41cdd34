"""A year of production on real flights, month by month, and a page about it."""
