"""What a project declares that it needs, what is installed, and what differs."""
