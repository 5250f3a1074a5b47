"""Tests of the errors of keeping."""

from __future__ import annotations

import errno

import pytest

from hubmirror.cache.errors import StoreFailed, StoreFull, store_errors


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the disk is read-only"),
    ],
)
def test_a_disk_that_takes_no_more_is_full(code: int, reason: str) -> None:
    """With the reason in words."""
    with pytest.raises(StoreFull, match=reason), store_errors():
        raise OSError(code, "whatever")


def test_another_error_is_a_failure() -> None:
    """Not a full disk, and the system's word for it."""
    reason = "the disk failed: Input/output error"
    with pytest.raises(StoreFailed, match=reason) as caught, store_errors():
        raise OSError(errno.EIO, "whatever", "/a/path")
    assert not isinstance(caught.value, StoreFull)


def test_an_error_without_a_number_is_told_in_its_own_words() -> None:
    """There are such."""
    with pytest.raises(StoreFailed, match="odd"), store_errors():
        raise OSError("odd")


def test_other_errors_pass() -> None:
    """They are defects, not the disk's."""
    with pytest.raises(ValueError, match="mine"), store_errors():
        raise ValueError("mine")
