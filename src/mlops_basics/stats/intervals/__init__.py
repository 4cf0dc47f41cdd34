"""How exactly is a metric known?"""
