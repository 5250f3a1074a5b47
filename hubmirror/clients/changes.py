"""Writing a client's files, with a copy of what was there, and taking that back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, Final

from attrs import asdict, evolve, field, frozen

from hubmirror.clients.files import ClientFile, SetupError
from hubmirror.clients.machine import Machine

__all__ = ["Change", "Setup"]

_BACKUP: Final = ".hubmirror-backup"
_CHANGED: Final = ".hubmirror-changed"


@frozen
class Change:
    """What becomes of the file at ``path``; None is no file."""

    path: PurePosixPath
    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)


@frozen
class _Entry:
    """What a setup has done to one file.

    ``backup`` is the path of the copy, None where there was no file; ``digest`` is that of what
    was written, ``mode`` that of the file before. ``is_mixed``: somebody else had changed the
    file between two setups.
    """

    path: str
    backup: str | None
    digest: str
    mode: int | None
    is_mixed: bool = False


class Setup:
    """A client's files on ``machine``, and the record at ``record`` of what was done to them."""

    def __init__(self, machine: Machine, record: PurePosixPath) -> None:
        self._machine = machine
        self._record = record
        self._folders, entries = _read(record, machine.look(record))
        self._entries = {entry.path: entry for entry in entries}

    @property
    def is_done(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._entries)

    def look(self, path: PurePosixPath) -> bytes | None:
        """What is to be added to: what was there before, where nobody has changed it since."""
        entry, now = self._entries.get(str(path)), self._machine.look(path)
        return self._before(entry) if entry is not None and _is_ours(entry, now) else now

    def plan(self, files: Iterable[ClientFile]) -> list[Change]:
        """What would change, without those that are as they should be. Raises ``SetupError``.

        What an earlier setup has done to other files is taken back.
        """
        wanted = {file.path: file.merge(self.look(file.path)) for file in files}
        changes = [Change(path, self._machine.look(path), after) for path, after in wanted.items()]
        stays = {str(path) for path in wanted}
        return [one for one in (*changes, *self._taken_back(stays)) if one.before != one.after]

    def plan_undo(self) -> list[Change]:
        """What would change for all to be as it was before."""
        return [one for one in self._taken_back(set()) if one.before != one.after]

    def apply(self, changes: Sequence[Change]) -> list[str]:
        """Write them; returns a line about each. Raises ``SetupError``.

        First the copies, then the record, then the files: whenever it ends, it can be taken back.
        """
        for change in changes:
            self._check(change)
        written = [one for one in changes if one.after is not None]
        gone = [one for one in changes if one.after is None]
        for change in written:
            self._entries[str(change.path)] = self._entry(change)
        self._save()
        for change in written:
            self._write(change)
        self._save()
        lines = [self._line(change) for change in written]
        return [*lines, *(line for one in gone for line in self._take_back(str(one.path)))]

    def undo(self) -> list[str]:
        """Have all as it was before, to the byte; returns a line about each file."""
        return [line for path in list(self._entries)[::-1] for line in self._take_back(path)]

    def _taken_back(self, stays: set[str]) -> Iterator[Change]:
        for path, entry in reversed(self._entries.items()):
            if path not in stays:
                where = PurePosixPath(path)
                yield Change(where, self._machine.look(where), self._before(entry))

    def _before(self, entry: _Entry) -> bytes | None:
        if entry.backup is None:
            return None
        kept = self._machine.look(PurePosixPath(entry.backup))
        if kept is None:
            raise SetupError(f"{entry.backup}, the copy of {entry.path}, is missing")
        return kept

    def _check(self, change: Change) -> None:
        if self._machine.look(change.path) != change.before:
            raise SetupError(f"{change.path} has changed just now; look at the difference again")

    def _entry(self, change: Change) -> _Entry:
        digest = _digest(change.after)
        known = self._entries.get(str(change.path))
        if known is not None:
            is_mixed = known.is_mixed or not _is_ours(known, change.before)
            return evolve(known, digest=digest, is_mixed=is_mixed)
        backup = None if change.before is None else self._back_up(change.path, change.before)
        mode = self._machine.mode(change.path)
        return _Entry(str(change.path), backup, digest, mode)

    def _back_up(self, path: PurePosixPath, content: bytes) -> str:
        backup = self._free_name(f"{path}{_BACKUP}")
        self._machine.write(backup, content, self._machine.mode(path))
        return str(backup)

    def _free_name(self, name: str) -> PurePosixPath:
        number, path = 1, PurePosixPath(name)
        while self._machine.look(path) is not None:
            number += 1
            path = PurePosixPath(f"{name}-{number}")
        return path

    def _write(self, change: Change) -> None:
        assert change.after is not None  # noqa: S101 - for mypy
        self._folders += self._machine.write(change.path, change.after)

    def _line(self, change: Change) -> str:
        backup = self._entries[str(change.path)].backup
        return f"written: {change.path}{f' (a copy of before: {backup})' if backup else ''}"

    def _take_back(self, path: str) -> Iterator[str]:
        entry, where = self._entries[path], PurePosixPath(path)
        before, now = self._before(entry), self._machine.look(where)
        if now is not None and now != before and (entry.is_mixed or not _is_ours(entry, now)):
            kept = self._free_name(f"{path}{_CHANGED}")
            self._machine.write(kept, now, self._machine.mode(where))
            yield f"kept: {kept}, as somebody has changed {path} since the setup"
        if before is None:
            self._machine.remove(where)
            yield f"removed: {path}"
        else:
            self._machine.write(where, before, entry.mode)
            yield f"put back: {path}"
        del self._entries[path]
        self._save()
        if entry.backup is not None:
            self._machine.remove(PurePosixPath(entry.backup))
        self._folders = self._machine.remove_empty(self._folders)

    def _save(self) -> None:
        if not self._entries:
            self._machine.remove(self._record)
            return
        files = [asdict(one) for one in self._entries.values()]
        text = json.dumps({"folders": self._folders, "files": files}, indent=2)
        made = self._machine.write(self._record, f"{text}\n".encode())
        if made:
            self._folders += made
            self._save()


def _read(record: PurePosixPath, content: bytes | None) -> tuple[list[str], list[_Entry]]:
    """The folders that were made for the files, and what was done to each of these."""
    if content is None:
        return [], []
    try:
        found: dict[str, Any] = json.loads(content)
        return list(found["folders"]), [_Entry(**one) for one in found["files"]]
    except (ValueError, TypeError, KeyError):
        raise SetupError(
            f"{record} is damaged: the copies are beside the files, named …{_BACKUP}"
        ) from None


def _is_ours(entry: _Entry, now: bytes | None) -> bool:
    return now is not None and _digest(now) == entry.digest


def _digest(content: bytes | None) -> str:
    return sha256(content or b"").hexdigest()
