"""Versions of a dataset: what is kept of one, what changed between two, and whether what changed is drift."""
