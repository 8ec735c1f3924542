"""Finding out what a function does to a picture, by asking it."""
