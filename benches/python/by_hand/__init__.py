"""What a user would write by hand in pure Python: the same work, with a lock."""
