"""Tests of the embedded Hub, over real HTTP on loopback."""
