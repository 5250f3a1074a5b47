"""A self-hosted Docker Hub mirror on Twisted."""
