"""DG8xx: dataset versions and schema."""
