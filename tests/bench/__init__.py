"""Tests of the benchmark's arithmetic and of what it reads from others."""
