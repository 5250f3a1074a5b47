"""A clean Debian in a folder, and programs in it: seen by nobody else, gone with the test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from tests.support.programs import Program, run

__all__ = ["CleanRoot"]

_SUITE = "bookworm"
#: What the package depends on: installed by ``apt`` it would come along.
_DEPENDENCIES = "adduser,ca-certificates,python3"
_BOOKKEEPING = ("run/", "var/lib/dpkg/", "var/log/")
#: In a mount namespace of its own: what is mounted goes with the process.
_ENTER = """
mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" || exit
root=$1 user=$2; shift 2
exec chroot --userspec="$user" "$root" "$@"
"""


@frozen
class CleanRoot:
    """``folder`` is the root of the file system."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> CleanRoot:
        """A new one; the first one ever takes minutes, as all of it is downloaded."""
        kept = Path(tempfile.gettempdir()) / f"hubmirror-{_SUITE}"
        if not kept.exists():
            draft = Path(tempfile.mkdtemp(prefix="hubmirror-"))
            draft.chmod(0o755)
            options = ("--variant=minbase", f"--include={_DEPENDENCIES}")
            run("debootstrap", *options, _SUITE, draft, seconds=1200)
            draft.rename(kept)
        run("cp", "--archive", kept, folder)
        return cls(folder)

    def remove(self) -> None:
        """It is large."""
        shutil.rmtree(self.folder)

    def run(self, *arguments: str, user: str = "root", env: Mapping[str, str] | None = None) -> str:
        """Run a program there to its end; returns what it printed."""
        return run(*self._entering(user, arguments), env=env, seconds=120)

    def start(
        self, *arguments: str, log: Path, user: str = "root", env: Mapping[str, str] | None = None
    ) -> Program:
        """Start a program there; its pid is that of the ``Program``."""
        return Program(self._entering(user, arguments), log, env=env)

    def files(self) -> set[str]:
        """All that is there, but for what a package manager writes down about itself."""
        found = (str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))
        return {path for path in found if not path.startswith(_BOOKKEEPING)}

    def _entering(self, user: str, arguments: tuple[str, ...]) -> list[str | Path]:
        enter: list[str | Path] = ["unshare", "--mount", "sh", "-c", _ENTER, "enter"]
        return [*enter, self.folder, user, *arguments]
