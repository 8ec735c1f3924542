"""Preprocessing paths: their canonical form, their exact execution, and how two of them differ."""
