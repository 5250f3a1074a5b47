"""One fetch, one count, one view among all who serve: here among the requests of a process."""
