"""What follows from the paths that were read out of a repository: which are held against which, and what is open."""
