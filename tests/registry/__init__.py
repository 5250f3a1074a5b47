"""Tests of ``hubmirror.registry``."""
