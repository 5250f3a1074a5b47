"""The measures of a fetch."""

from __future__ import annotations

from attrs import frozen

__all__ = ["FetchLimits"]

_KIB = 1024
_MIB = 1024 * _KIB


@frozen
class FetchLimits:
    """Lengths are in bytes, times in seconds."""

    #: How many connections bring one blob, where it has two pieces or more.
    connections: int = 4
    #: What a connection asks for at once.
    piece: int = 8 * _MIB
    #: Blobs up to this size are fetched to the end, also when nobody waits for them any more.
    finish_below: int = 64 * _MIB
    #: The end of each blob that nobody gets before the digest is known to be right.
    held_back: int = 64 * _KIB
    #: After so many attempts in a row that brought next to nothing, a fetch fails.
    attempts: int = 5
    #: An attempt that brought as much was worth it.
    worthwhile: int = 64 * _KIB
    #: The wait after a first failed attempt, which doubles up to the longest.
    first_pause: float = 0.2
    longest_pause: float = 5.0
    #: A longer pause is kept where a host asks for it, up to this.
    patience: float = 15.0
    #: New bytes are hashed, and made durable, after so many: the latter is what a crash costs.
    hash_every: int = 4 * _MIB
    save_every: int = 512 * _KIB
    save_seconds: float = 5.0
    #: What each reader holds in memory once the disk takes no more; a chunk more may come.
    window: int = _MIB
    #: How long nothing is fetched into a store that has failed.
    store_pause: float = 30.0
