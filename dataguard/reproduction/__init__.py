"""Locking a result, running it again, and saying whether it is the same and what changed it."""
