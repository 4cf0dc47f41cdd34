"""Fits what a search found: recipes, which hold everything of a model but its weights."""
