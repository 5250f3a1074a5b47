"""What a client's own files hold so that it pulls through a mirror, and putting it there."""
