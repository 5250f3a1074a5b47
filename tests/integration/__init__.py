"""Real clients against a real registry through the real daemon."""
