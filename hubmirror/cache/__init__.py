"""What is kept, and passive: blobs, pieces of blobs, and the index of both."""
