"""Tests of hubmirror.clients."""
