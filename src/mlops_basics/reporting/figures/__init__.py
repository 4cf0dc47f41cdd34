"""Figures; each is a pure function of the data that it draws."""
