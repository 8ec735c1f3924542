"""DG3xx: splits, leakage and normalization."""
