"""A pandera schema proposed from data: strict where the data justify it, each check with its reason."""
