"""The one place that joins an upstream's bytes with a partial file."""
