"""Tests of hubmirror.coordination."""
