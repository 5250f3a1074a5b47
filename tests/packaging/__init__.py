"""The packages themselves, each tried on a clean system: `make package-test`."""
