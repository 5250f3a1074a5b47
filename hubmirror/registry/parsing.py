"""From a connection's bytes to requests: llhttp's grammar, made strict, with limits of size.

llhttp decides what a request is; this tells it no more at once than may belong to one request,
so that the end of one is known exactly, and refuses what llhttp lets pass: empty lines and spaces
too many, HTTP/0.9 and the protocols that look like HTTP, chunk extensions and trailers.
Source: RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from hubmirror.errors import BadRequest, RegistryError
from hubmirror.registry.message import Message

__all__ = ["MAX_BODY", "MAX_HEADERS", "MAX_REQUEST_LINE", "RequestParser"]

#: The longest request line, in bytes.
MAX_REQUEST_LINE: Final = 8 * 1024
#: All header lines of a request together, their ends included, in bytes.
MAX_HEADERS: Final = 16 * 1024
#: The longest body: a token request's form.
MAX_BODY: Final = 64 * 1024

_CRLF: Final = b"\r\n"
#: A head that is shorter can't break a limit.
_SHORT: Final = MAX_REQUEST_LINE
_REQUEST_LINE = re.compile(rb"[A-Z-]+ [!-~]+ HTTP/1\.[01]\r\n")
_OTHER_VERSION = re.compile(rb".* HTTP/(?!1\.[01]\r)[^ ]*\r\n", re.DOTALL)
#: No extension, no sign, no blank, and few enough digits that nobody could read another number.
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}\r\n")


class RequestLineTooLong(RegistryError):
    """A request line over ``MAX_REQUEST_LINE``."""

    status = 414
    code = "UNSUPPORTED"
    default_message = "the request line is longer than 8 KiB"


class HeadersTooLarge(RegistryError):
    """Header lines over ``MAX_HEADERS``."""

    status = 431
    code = "UNSUPPORTED"
    default_message = "the request's headers are larger than 16 KiB"


class BodyTooLarge(RegistryError):
    """A body over ``MAX_BODY``."""

    status = 413
    code = "UNSUPPORTED"
    default_message = "the request's body is too large: this is a read-only mirror"


class VersionNotSupported(RegistryError):
    """Another HTTP than 1.0 and 1.1."""

    status = 505
    code = "UNSUPPORTED"
    default_message = "this server speaks HTTP/1.1"


class MethodUnknown(RegistryError):
    """A method that no HTTP specification has."""

    status = 501
    code = "UNSUPPORTED"
    default_message = "this server does not know the request's method"


class RequestParser:
    """The requests of one connection. ``feed`` it what comes, then ``take`` them one by one.

    ``accept`` is called with each request's head before its body is looked at, and may raise a
    ``RegistryError``. After any error nothing more is to be fed or taken.
    """

    def __init__(self, accept: Callable[[Message], None]) -> None:
        self._accept = accept
        self._llhttp: HttpRequestParser | None = HttpRequestParser(self)
        self._data = b""
        self._at = 0
        self._message: Message | None
        self._target: bytes
        self._begin()

    @property
    def waiting(self) -> int:
        """How many bytes have come that belong to no request yet."""
        return len(self._data) - self._at

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request is here."""
        return self._size > 0 or self.waiting > 0

    def feed(self, data: bytes) -> None:
        """These bytes have come."""
        self._data = self._data[self._at :] + data if self.waiting else data
        self._at = 0

    def take(self) -> Message | None:
        """The next request, or None where more of it must come first.

        Raises a ``RegistryError`` for what is no request that this server takes: which one does
        not depend on the pieces in which it came.
        """
        while not self._is_whole:
            if self._at == len(self._data):
                return None
            go_on = self._take_head if self._message is None else self._take_body
            if not go_on():
                return None
        return self._taken()

    def close(self) -> None:
        """The connection is over: no cycle is left for the garbage collector."""
        self._llhttp = None

    # What llhttp calls.

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._message is not None:
            raise ValueError("a trailer")
        self._fields.setdefault(name.lower(), []).append(value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        llhttp = self._parser()
        self._message = Message(
            llhttp.get_method(),
            self._target,
            b"HTTP/" + llhttp.get_http_version().encode(),
            self._fields,
            llhttp.should_keep_alive(),
        )
        self._is_upgrade = llhttp.should_upgrade()

    def on_body(self, part: bytes) -> None:
        self._body.append(part)
        self._body_size += len(part)
        self._left -= len(part)

    def on_chunk_header(self) -> None:
        self._is_chunk_begun = True

    def on_chunk_complete(self) -> None:
        self._is_chunk_begun = False

    def on_message_complete(self) -> None:
        self._is_whole = True

    def _begin(self) -> None:
        self._message = None
        self._is_whole = False
        self._target = b""
        self._fields: dict[bytes, list[bytes]] = {}
        self._is_upgrade = False
        self._is_line_read = False
        self._head_left = MAX_HEADERS
        self._body: list[bytes] = []
        self._body_size = 0
        #: Bytes of the body that are still to come; below zero where chunks tell.
        self._left = 0
        self._is_chunk_begun = False
        self._is_last_chunk = False
        self._size = 0

    def _taken(self) -> Message:
        message = self._message
        if message is None:
            raise BadRequest()
        message.body = b"".join(self._body)
        message.size = self._size
        if not self.waiting:
            self._data, self._at = b"", 0
        self._begin()
        return message

    def _parser(self) -> HttpRequestParser:
        if self._llhttp is None:
            raise RuntimeError("the connection is over")
        return self._llhttp

    def _take_head(self) -> bool:
        """Go on with the head, all at once where that can do; False where more must come."""
        if not self._size:
            end = self._data.find(b"\r\n\r\n", self._at) + 4
            head = self._data[self._at : end]
            if 4 <= len(head) <= _SHORT and _is_plain(head):
                self._parse(head)
                self._end_head()
                return True
        return self._take_line()

    def _take_line(self) -> bool:
        """Go on with one line of the head."""
        line = self._line()
        limit = self._head_left if self._is_line_read else MAX_REQUEST_LINE + len(_CRLF)
        if (len(line) if line else self.waiting + 1) > limit:
            raise HeadersTooLarge() if self._is_line_read else RequestLineTooLong()
        if not line:
            return False
        if line == _CRLF and not self._size:
            # Some clients end a body with an empty line too many: one is let be (section 2.2).
            self._skip(line)
            return True
        _check_line(line, is_first=not self._is_line_read)
        if self._is_line_read:
            self._head_left -= len(line)
        self._is_line_read = True
        self._parse(line)
        if line == _CRLF:
            self._end_head()
        elif self._message is not None:
            raise BadRequest()
        return True

    def _end_head(self) -> None:
        """The head is whole, and llhttp must say the same."""
        message = self._message
        if message is None:
            raise BadRequest()
        is_chunked = b"transfer-encoding" in message.fields
        length = int(message.fields.get(b"content-length", [b"0"])[0])
        message.has_body = is_chunked or length > 0
        self._left = -1 if is_chunked else length
        if message.has_body and self._is_upgrade:
            raise BadRequest("this server upgrades to no other protocol")
        if self._is_whole == message.has_body:
            raise BadRequest()
        if length > MAX_BODY:
            raise BodyTooLarge()
        self._accept(message)

    def _take_body(self) -> bool:
        """Go on with the body: as far as it surely reaches."""
        if self._left > 0:
            self._parse(self._data[self._at : self._at + self._left])
            return True
        return self._take_of_chunk()

    def _take_of_chunk(self) -> bool:
        """Go on with a line: a message of chunks ends at a line's end, and so does a chunk."""
        line = self._line()
        if self._is_chunk_begun:
            if self._is_last_chunk and line != _CRLF:
                if not line and self._data[self._at :] == b"\r":
                    return False
                raise BadRequest("a body's last chunk must be its end: there are no trailers here")
            self._parse(line or self._data[self._at :])
        else:
            if not line and self.waiting < 10:
                return False
            if not _CHUNK_SIZE.fullmatch(line):
                raise BadRequest("a chunk's size is malformed, or has an extension")
            self._is_last_chunk = not int(line, 16)
            self._parse(line)
        if self._body_size > MAX_BODY:
            raise BodyTooLarge()
        return True

    def _line(self) -> bytes:
        """The next line with its end, or nothing where that has not come."""
        return self._data[self._at : self._data.find(b"\n", self._at) + 1]

    def _skip(self, data: bytes) -> None:
        self._at += len(data)
        self._size += len(data)

    def _parse(self, data: bytes) -> None:
        """Let llhttp parse ``data``, which is next; not beyond this request, or it is an error."""
        was_whole = self._is_whole
        self._skip(data)
        try:
            self._parser().feed_data(data)
        except HttpParserUpgrade as upgrade:
            # Asked to speak something else we go on with what we speak (RFC 9110, section 7.8).
            if upgrade.args[0] != len(data):
                raise BadRequest() from None
        except HttpParserInvalidMethodError:
            raise MethodUnknown() from None
        except HttpParserError:
            raise BadRequest() from None
        if was_whole:
            raise BadRequest()


def _is_plain(head: bytes) -> bool:
    """Whether line by line nothing could be said against ``head`` but by llhttp."""
    lines = head.count(b"\n")
    return head.count(_CRLF) == lines == head.count(b"\r") and _REQUEST_LINE.match(head) is not None


def _check_line(line: bytes, *, is_first: bool) -> None:
    if not line.endswith(_CRLF) or line.count(b"\r") > 1:
        raise BadRequest("a line of the request ends in a bare CR or LF")
    if is_first and not _REQUEST_LINE.fullmatch(line):
        if _OTHER_VERSION.fullmatch(line):
            raise VersionNotSupported()
        raise BadRequest()
