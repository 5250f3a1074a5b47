"""What is a request by the grammar, and refused."""

from __future__ import annotations

import pytest

from hubmirror.errors import BadRequest, RegistryError
from hubmirror.registry.message import Message
from hubmirror.registry.strictness import Misdirected, check_head


def message(
    method: bytes = b"GET",
    target: bytes = b"/",
    version: bytes = b"HTTP/1.1",
    hosts: tuple[bytes, ...] = (b"mirror.example",),
    codings: tuple[bytes, ...] = (),
    has_body: bool = False,
) -> Message:
    fields = {b"host": list(hosts), b"transfer-encoding": list(codings)}
    held = {name: values for name, values in fields.items() if values}
    return Message(method, target, version, held, True, has_body)


def is_own(authority: str) -> bool:
    return authority == "mirror.example:5000"


@pytest.mark.parametrize(
    "good",
    [
        message(),
        message(version=b"HTTP/1.0", hosts=()),
        message(method=b"POST", codings=(b"Chunked",), has_body=True),
        message(hosts=(b"[::1]:5000",)),
    ],
)
def test_takes(good: Message) -> None:
    """What is as it should be stays as it is."""
    target = good.target
    check_head(good, is_own)
    assert good.target == target


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (message(hosts=()), 400),
        (message(hosts=(b"a", b"a")), 400),
        (message(hosts=(b"",)), 400),
        (message(hosts=(b"a b",)), 400),
        (message(hosts=(b"a@b",)), 400),
        (message(hosts=(b"a/b",)), 400),
        (message(hosts=(b"\xe9",)), 400),
        (message(method=b"CONNECT", target=b"a:443"), 405),
        (message(target=b"ftp://mirror.example:5000/"), 400),
        (message(target=b"a"), 400),
        (message(target=b"*"), 400),
        (message(target=b"http://other/"), 421),
        (message(target=b"http://mirror.example:5000@other/"), 421),
        (message(target=b"http://user@mirror.example:5000/"), 421),
        (message(target=b"http:///"), 421),
        (message(method=b"POST", codings=(b"gzip, chunked",), has_body=True), 400),
        (message(method=b"POST", codings=(b"gzip", b"chunked"), has_body=True), 400),
        (
            message(method=b"POST", version=b"HTTP/1.0", codings=(b"chunked",), has_body=True),
            400,
        ),
        (message(has_body=True), 400),
        (message(method=b"HEAD", has_body=True), 400),
    ],
)
def test_refuses(bad: Message, status: int) -> None:
    """Each for its own reason."""
    with pytest.raises(RegistryError) as caught:
        check_head(bad, is_own)
    assert caught.value.status == status
    assert isinstance(caught.value, BadRequest | Misdirected)


@pytest.mark.parametrize(
    ("rest", "target"),
    [("", "/"), ("/", "/"), ("/v2/?n=/a", "/v2/?n=/a"), ("?n=1", "/?n=1")],
)
def test_an_absolute_target_of_our_own_becomes_a_path(rest: str, target: str) -> None:
    """And its authority counts instead of the Host's."""
    asked = message(target=f"http://mirror.example:5000{rest}".encode())
    check_head(asked, is_own)
    assert asked.target == target.encode()
    assert asked.fields[b"host"] == [b"mirror.example:5000"]


def test_the_server_as_a_whole_is_its_root() -> None:
    """RFC 9112, section 3.2.4: ``*`` is for OPTIONS alone."""
    asked = message(method=b"OPTIONS", target=b"*")
    check_head(asked, is_own)
    assert asked.target == b"/"
