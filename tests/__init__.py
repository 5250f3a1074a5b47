"""The tests mirror the package, file by file."""
