"""Training probes: rules about a model, its loss and how it trains."""
