"""Tests of hubmirror.monitor."""
