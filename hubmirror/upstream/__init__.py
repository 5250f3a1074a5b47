"""Speaking to the upstream registry."""
