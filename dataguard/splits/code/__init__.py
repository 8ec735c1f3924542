"""What a script or a notebook does with its data before and after it is split: read from the code, never run."""
