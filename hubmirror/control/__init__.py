"""What an operator tells a mirror to do with what it keeps: over a socket, or at rest."""
