"""An embedded Hub (registry, token server, blob host) for the demo and the tests."""
