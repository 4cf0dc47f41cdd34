"""Has a table moved away from its reference?"""
