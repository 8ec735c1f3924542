"""DG1xx: labels."""
