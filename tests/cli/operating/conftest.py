"""The daemon's socket, served by the test's own reactor."""

from tests.control.conftest import in_thread, pool, serve

__all__ = ["in_thread", "pool", "serve"]
