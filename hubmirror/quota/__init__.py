"""The day's count of requests."""
