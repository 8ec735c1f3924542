"""DG9xx: dataguard itself."""
