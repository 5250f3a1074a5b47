"""An object of ``GET /quota``, as the tests show it."""

from __future__ import annotations

from typing import Any

__all__ = ["LATELY", "account", "status"]

#: When it was told: 2026-01-01T12:30:00Z.
LATELY = 1767270600.0


def account(**about: Any) -> dict[str, Any]:
    """What one has spent."""
    spent = {"requests": 1200, "refused": 3, "bytes_in": 10, "bytes_out": 5 << 20, "pulls": 4}
    return {**about, **spent}


def status(**changes: Any) -> dict[str, Any]:
    """A mirror that is well; ``changes`` takes the place of some keys."""
    return {
        "limit": 100_000,
        "used": 25_000,
        "remaining": 75_000,
        "reset": "2026-01-02T00:00:00Z",
        "on_exhausted": "cache-only",
        "minute": {
            "limit": 1000,
            "used": 12,
            "remaining": 988,
            "reset": "2026-01-01T12:31:00Z",
        },
        "forecast": {"used_at_reset": 45_678, "exhausted_at": None},
        "today": {
            "requests": 25_000,
            "admitted": 25_000,
            "by_kind": {},
            "by_outcome": {"hit": 20_000, "miss": 2500, "stale": 2500, "refused": 0, "error": 0},
            "bytes_in": 10,
            "bytes_out": 5 << 30,
            "upstream_requests": 3000,
            "upstream_bytes": 1 << 30,
            "pulls": 56,
            "pulls_saved": 1234,
        },
        "hit_ratio": 0.938,
        "reserves": [{"name": "production", "size": 20_000, "used": 5000}],
        "clients": [account(client="192.0.2.1", network="ci"), account(client="x", network=None)],
        "networks": [account(network="ci")],
        "users": [account(user="alice")],
        "repositories": [account(repository="library/busybox")],
        "hub": {
            "limits": [
                {
                    "payer": "",
                    "source": "203.0.113.9",
                    "limit": 100,
                    "remaining": 76,
                    "window": 21600,
                    "seen": "2026-01-01T12:00:00Z",
                    "exhausted_at": None,
                }
            ],
            "pulls": [],
        },
        "upstream": {
            "url": "https://registry-1.docker.io",
            "is_up": True,
            "since": None,
            "outages": [],
        },
        "fetches": [
            {
                "digest": "sha256:0123456789abcdef",
                "repository": "library/busybox",
                "size": 4 << 20,
                "kept": 1 << 20,
                "readers": 2,
            }
        ],
        **changes,
    }
