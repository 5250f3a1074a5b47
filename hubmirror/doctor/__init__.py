"""What may be wrong with a mirror, its surroundings, or a client of it: looked at, and told."""
