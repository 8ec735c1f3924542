"""Sources of samples, the sample table, its manifest, and what is computed from it."""
