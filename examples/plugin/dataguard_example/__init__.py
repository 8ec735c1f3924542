"""A source, a rule and a format for dataguard."""
