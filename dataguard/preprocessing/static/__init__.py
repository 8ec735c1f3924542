"""Reading the preprocessing of a repository out of its source, of which nothing is run."""
