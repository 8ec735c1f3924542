"""Splits: what leaks between them, and what their numbers were normalized with."""
