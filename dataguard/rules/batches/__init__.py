"""DG2xx: batches and order."""
