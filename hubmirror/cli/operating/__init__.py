"""What the verbs share that operate on a cache: reaching it, and telling what comes of it."""
