"""One reader for each format in which a project says what it needs; nothing is run."""
