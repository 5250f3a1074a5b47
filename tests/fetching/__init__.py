"""Fetching: one upstream transfer, many readers."""
