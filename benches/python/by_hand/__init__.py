"""The same work as a user would write it by hand in pure Python, with a lock."""
