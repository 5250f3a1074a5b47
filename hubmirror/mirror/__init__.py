"""The policy, free of HTTP: every Question gets its Answer here."""
