"""Is another policy better than the current one, judged batch after batch?"""
