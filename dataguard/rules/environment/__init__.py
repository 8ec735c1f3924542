"""DG5xx: pins, locks and what is really installed."""
