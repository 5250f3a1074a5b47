"""What tests share: programs that run, certificates and images made on the spot."""
