"""Files written, and put back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from hubmirror.clients.address import MirrorAddress
from hubmirror.clients.catalogue import CLIENTS
from hubmirror.clients.changes import Setup
from hubmirror.clients.files import ClientFile, SetupError, fixed
from hubmirror.clients.machine import Machine
from tests.clients.examples import BEFORE, SECURE, URL

RECORD = PurePosixPath("/etc/x/record.json")
FILE = PurePosixPath("/etc/x/file")


def tree(root: Path) -> Mapping[str, tuple[int, bytes | None]]:
    """All that is below ``root``: modes, and files' bytes."""
    return {
        str(path.relative_to(root)): (
            path.stat().st_mode,
            path.read_bytes() if path.is_file() else None,
        )
        for path in root.rglob("*")
    }


def put(root: Path, path: PurePosixPath | str, content: bytes, mode: int = 0o640) -> Path:
    """A file on the machine at ``root``."""
    real = root / str(path).lstrip("/")
    real.parent.mkdir(parents=True, exist_ok=True)
    real.write_bytes(content)
    real.chmod(mode)
    return real


def on(root: Path) -> Setup:
    """A setup as each command makes it anew."""
    return Setup(Machine(root), RECORD)


def apply(root: Path, content: bytes, path: PurePosixPath = FILE) -> list[str]:
    """Set up one file that is all ours."""
    setup = on(root)
    return setup.apply(setup.plan([ClientFile(path, fixed(content))]))


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "new"])
@pytest.mark.parametrize("key", CLIENTS)
def test_each_clients_setup_is_undone_to_the_byte(key: str, is_there: bool, tmp_path: Path) -> None:
    """Also after a second one for another mirror; files, modes, folders, nothing is left over."""
    client = CLIENTS[key]
    if is_there:
        path, content = BEFORE[key]
        put(tmp_path, path, content)
    before = tree(tmp_path)
    for mirror in (SECURE, MirrorAddress("http://10.0.0.1:5000", ("docker.io", "ghcr.io"))):
        setup = on(tmp_path)
        changes = setup.plan(client.files(mirror, client.place, setup.look))
        setup.apply(changes)
        assert changes
        again = on(tmp_path)
        assert again.plan(client.files(mirror, client.place, again.look)) == []
    written = "".join(map(str, tree(tmp_path).values()))
    assert "10.0.0.1:5000" in written
    assert f'{URL}"' not in written  # the first mirror has given way to the second

    on(tmp_path).undo()

    assert tree(tmp_path) == before


def test_a_copy_is_kept_with_its_mode(tmp_path: Path) -> None:
    """What was a secret stays one, in the copy and in the new file."""
    real = put(tmp_path, FILE, b"old", 0o600)

    (line,) = apply(tmp_path, b"new")

    copy = real.with_name("file.hubmirror-backup")
    assert copy.read_bytes() == b"old"
    assert [path.stat().st_mode & 0o777 for path in (real, copy)] == [0o600, 0o600]
    assert str(FILE) in line
    assert copy.name in line


def test_a_copy_of_others_is_not_overwritten(tmp_path: Path) -> None:
    """Another name is taken."""
    put(tmp_path, FILE, b"old")
    theirs = put(tmp_path, f"{FILE}.hubmirror-backup", b"theirs")

    apply(tmp_path, b"new")

    assert theirs.read_bytes() == b"theirs"
    assert theirs.with_name("file.hubmirror-backup-2").read_bytes() == b"old"


def test_what_somebody_changed_since_is_kept(tmp_path: Path) -> None:
    """The undo puts back what was there before, and lays the other beside it."""
    real = put(tmp_path, FILE, b"old")
    apply(tmp_path, b"new")
    real.write_bytes(b"edited")

    lines = on(tmp_path).undo()

    assert real.read_bytes() == b"old"
    assert real.with_name("file.hubmirror-changed").read_bytes() == b"edited"
    assert "kept: /etc/x/file.hubmirror-changed" in lines[0]


def test_what_somebody_changed_between_two_setups_is_kept(tmp_path: Path) -> None:
    """It is built upon, and not lost by the undo."""
    real = put(tmp_path, FILE, b"old")
    apply(tmp_path, b"new")
    real.write_bytes(b"edited")
    setup = on(tmp_path)

    setup.apply(setup.plan([ClientFile(FILE, lambda before: (before or b"") + b" more")]))
    on(tmp_path).undo()

    assert real.read_bytes() == b"old"
    assert real.with_name("file.hubmirror-changed").read_bytes() == b"edited more"


def test_what_somebody_removed_comes_back(tmp_path: Path) -> None:
    """As it was, its mode included."""
    real = put(tmp_path, FILE, b"old", 0o600)
    apply(tmp_path, b"new")
    real.unlink()

    on(tmp_path).undo()

    assert (real.read_bytes(), real.stat().st_mode & 0o777) == (b"old", 0o600)


def test_a_change_meanwhile_stops_it(tmp_path: Path) -> None:
    """What a person agreed to is what is done, or nothing."""
    real = put(tmp_path, FILE, b"old")
    setup = on(tmp_path)
    changes = setup.plan([ClientFile(FILE, fixed(b"new"))])
    real.write_bytes(b"edited")

    with pytest.raises(SetupError, match="just now"):
        setup.apply(changes)

    assert real.read_bytes() == b"edited"
    assert not on(tmp_path).is_done


def test_what_fails_midway_can_be_undone(tmp_path: Path) -> None:
    """A folder that can't be made, after one file was written."""
    put(tmp_path, "/etc/x/y", b"no folder")
    before = tree(tmp_path)
    setup = on(tmp_path)
    files = [
        ClientFile(FILE, fixed(b"new")),
        ClientFile(PurePosixPath("/etc/x/y/z"), fixed(b"new")),
    ]

    with pytest.raises(SetupError, match="/etc/x/y/z can't be written"):
        setup.apply(setup.plan(files))
    on(tmp_path).undo()

    assert tree(tmp_path) == before


def test_a_copy_that_is_gone_is_told_of(tmp_path: Path) -> None:
    """Nothing is put back then."""
    real = put(tmp_path, FILE, b"old")
    apply(tmp_path, b"new")
    real.with_name("file.hubmirror-backup").unlink()

    with pytest.raises(SetupError, match=r"hubmirror-backup, the copy of /etc/x/file, is missing"):
        on(tmp_path).undo()

    assert real.read_bytes() == b"new"


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"folders": [], "files": [{}]}', b'{"files": []}']
)
def test_a_damaged_record_is_told_of(content: bytes, tmp_path: Path) -> None:
    """With the way to the copies."""
    put(tmp_path, RECORD, content)

    with pytest.raises(SetupError, match=r"record\.json is damaged.*hubmirror-backup"):
        on(tmp_path)
