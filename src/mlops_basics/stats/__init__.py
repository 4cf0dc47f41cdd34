"""Statistics on arrays: pure functions of numpy and scipy, nothing of ours outside."""
