"""Tests of hubmirror.doctor."""
