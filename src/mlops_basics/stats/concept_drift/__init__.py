"""Has the error of a model risen?"""
