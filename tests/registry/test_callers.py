"""Who speaks on a connection, request by request."""

from __future__ import annotations

from ipaddress import ip_network

from hubmirror.question import Client
from hubmirror.registry.callers import Caller
from hubmirror.registry.message import Message

TRUSTED = (ip_network("192.0.2.0/24"),)


def message(**fields: bytes) -> Message:
    named = {name.replace("_", "-").encode(): [value] for name, value in fields.items()}
    return Message(b"GET", b"/", b"HTTP/1.1", named, True)


def caller(peer: str = "192.0.2.1", *, is_secure: bool = False) -> Caller:
    return Caller(peer, "127.0.0.1:5000", is_secure=is_secure)


def test_a_client_is_its_connections_other_end() -> None:
    """Known by the Host that it used, with its program's name."""
    asked = message(host=b"Mirror:5000", user_agent=b"docker")
    assert caller().client(asked, (), None) == Client("192.0.2.1", "http://mirror:5000", "docker")
    secure = caller("::ffff:192.0.2.1", is_secure=True)
    assert secure.client(asked, (), None) == Client("192.0.2.1", "https://mirror:5000", "docker")
    assert secure.address == "192.0.2.1"


def test_without_a_host_it_is_this_end() -> None:
    """Also where there is none that could be one."""
    for asked in (message(), message(host=b"a b")):
        assert caller().host(asked) == "127.0.0.1:5000"
        assert caller().client(asked, (), None).public_url == "http://127.0.0.1:5000"


def test_a_change_is_noticed() -> None:
    """One connection may bring any: of another host, program, or behind a proxy that says whom."""
    one = caller()
    first = one.client(message(host=b"a", user_agent=b"x"), TRUSTED, None)
    assert one.client(message(host=b"a", user_agent=b"x"), TRUSTED, None) is first
    assert one.client(message(host=b"b", user_agent=b"x"), TRUSTED, None).public_url == "http://b"
    assert one.client(message(host=b"b", user_agent=b"y"), TRUSTED, None).user_agent == "y"
    told = message(host=b"b", user_agent=b"y", x_forwarded_for=b"198.51.100.7")
    assert one.client(told, TRUSTED, None).address == "198.51.100.7"
    other = message(host=b"b", user_agent=b"y", forwarded=b"for=198.51.100.8")
    assert one.client(other, TRUSTED, None).address == "198.51.100.8"
    assert one.client(message(host=b"b", user_agent=b"y"), TRUSTED, None).address == "192.0.2.1"
    assert one.client(told, (), None).address == "192.0.2.1"
    assert one.client(message(host=b"b"), TRUSTED, "https://hub").public_url == "https://hub"


def test_whose_certificate_it_has_shown() -> None:
    """Found out once; a proxy's is not that of those for whom it speaks."""
    asked: list[str] = []

    def find() -> str:
        asked.append("alice")
        return asked[-1]

    one = Caller("192.0.2.1", "127.0.0.1:5000", is_secure=True, find_user=find)
    assert asked == []
    assert one.client(message(host=b"a"), TRUSTED, None).user == "alice"
    assert one.client(message(host=b"b"), TRUSTED, None).user == "alice"
    told = message(host=b"a", x_forwarded_for=b"198.51.100.7")
    assert one.client(told, TRUSTED, None).user is None
    assert one.client(told, (), None).user == "alice"
    assert asked == ["alice"]
    assert caller().client(message(host=b"a"), TRUSTED, None).user is None
