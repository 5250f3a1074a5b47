"""Tests of hubmirror.transport."""
