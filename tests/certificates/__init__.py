"""Tests of the listener's TLS."""
