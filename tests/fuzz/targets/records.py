"""What stands on the disk beside unfinished blobs: torn, changed or made up."""

from __future__ import annotations

import hashlib

from hubmirror.cache.record import PiecesRecord
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """A record that can be written again, or none; also under a checksum that is right."""
    checksum = hashlib.sha256(data).hexdigest().encode()
    for text in (data, b"%b\n%b\n" % (checksum, data)):
        record = PiecesRecord.parse(text)
        if record is None:
            continue
        again = PiecesRecord.parse(record.to_bytes())
        assert again is not None
        assert again.to_bytes() == record.to_bytes()
        end = 0
        for start, stop in record.pieces:
            assert end <= start < stop <= record.size
            end = stop


TARGET = Target(
    run,
    (
        b'{"digest": "sha256:' + b"a" * 64 + b'", "size": 100, "validator": "x", "pieces": "0-9"}',
        b'{"digest": "sha256:' + b"a" * 64 + b'", "size": 9, "validator": null, "pieces": ""}',
    ),
    (b'"size":', b'"pieces":', b'"0-1,2-3"', b'"1-0"', b"5-9,", b"-", b"null", b"true"),
)
