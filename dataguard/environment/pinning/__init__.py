"""Locks: which versions a project gets, today or as of a day that has passed, with the hash of every file."""
