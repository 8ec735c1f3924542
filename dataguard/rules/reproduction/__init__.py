"""DG6xx: whether a locked result comes out again."""
