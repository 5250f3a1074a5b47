"""The rules of this mirror: networks, users, repositories."""
