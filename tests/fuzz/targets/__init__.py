"""What is fed: a module each."""
