"""Hostile input: every parser, and the whole mirror, fed with what nobody should send."""
