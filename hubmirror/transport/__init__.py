"""How a body leaves: it sends, and never decides."""
