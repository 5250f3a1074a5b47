"""What can be made to go wrong at one host of the Hub: plain attributes that a test sets."""

from __future__ import annotations

from attrs import define, field, frozen

from hubmirror.question import Headers

__all__ = ["CannedAnswer", "Faults"]


@frozen
class CannedAnswer:
    """An answer given in the place of the right one, to a path that holds ``path_part``."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    path_part: str = ""


@define
class Faults:
    """The faults of one host; the defaults are no fault at all.

    ``cut_after`` and ``stall_after`` count bytes of one body: the connection is closed, or
    falls silent. ``bytes_per_second`` holds for one connection.
    """

    #: Answer every HEAD with 403.
    refuse_head: bool = False
    #: Seconds before the answer to a request begins.
    delay: float = 0
    #: Leave ``Content-Length`` out, so that bodies go chunked.
    chunked: bool = False
    cut_after: int | None = None
    stall_after: int | None = None
    bytes_per_second: float | None = None
    #: Where the registry sends for blobs, or the blob host for everything, with no signature.
    redirect_to: str | None = None
    #: Let the blob host redirect each request to itself.
    redirect_loop: bool = False
    #: The status of the registry's redirects.
    redirect_status: int = 307
    #: The realm that the registry's challenges name instead of the token server's URL.
    realm: str | None = None
    #: Leave ``Docker-Content-Digest`` and ``ETag`` out.
    hide_digest: bool = False
    #: Answer everything with this status and nothing else.
    answer_always: int | None = None
    _canned: list[CannedAnswer] = field(factory=list)

    def answer_next(
        self,
        count: int,
        status: int,
        headers: Headers = (),
        body: bytes = b"",
        path_part: str = "",
    ) -> None:
        """Answer so the next ``count`` requests whose path holds ``path_part``."""
        self._canned += [CannedAnswer(status, headers, body, path_part)] * count

    def take(self, path: str) -> CannedAnswer | None:
        """The canned answer that this request gets, if any; it is used up."""
        if self.answer_always is not None:
            return CannedAnswer(self.answer_always)
        for index, canned in enumerate(self._canned):
            if canned.path_part in path:
                return self._canned.pop(index)
        return None
