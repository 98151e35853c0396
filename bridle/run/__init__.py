"""A run: the loop, what feeds it, what it leaves behind."""
