"""The benchmark's rows, a module each.

A row's ``measure(rounds)`` runs it; its ``profile()``, where it has one, says as text where the
time goes.
"""
