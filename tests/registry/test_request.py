"""A request on its way through the tree, and the URL by which its sender knows the mirror."""

from __future__ import annotations

from tests.registry.edge import Edge


def test_without_a_host_the_connection_names_the_mirror() -> None:
    """HTTP/1.0 may do without."""
    edge = Edge()

    def answer(request: object) -> bytes:
        request.setResponseCode(401)  # type: ignore[attr-defined]
        request.setHeader("WWW-Authenticate", 'Bearer realm="https://a"')  # type: ignore[attr-defined]
        return b""

    edge.upstream.answer = answer
    wire = edge.send(b"GET /v2/ HTTP/1.0\r\n\r\n")
    assert 'realm="http://127.0.0.1:5000/token"' in wire.head()
    assert wire.hung_up
