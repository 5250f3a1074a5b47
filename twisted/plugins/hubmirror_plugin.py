"""Tells ``twistd`` of ``hubmirror``."""

from twisted.application.service import ServiceMaker

hubmirror = ServiceMaker(
    "hubmirror",
    "hubmirror.tap",
    "A Docker Hub mirror with built-in TLS and a daily quota.",
    "hubmirror",
)
