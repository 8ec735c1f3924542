"""Features by the user's own model, a callable or a checkpoint on their disk, run in a process of its own."""
