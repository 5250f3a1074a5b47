"""Files that the service manager hands over: ``credential:NAME`` where a setting names a file.

Source: systemd.exec(5), ``LoadCredential=``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["located"]

_PREFIX: Final = "credential:"
_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
#: Where those of our own unit are, for an operator's commands, which systemd does not start.
_OF_SERVICE: Final = "/run/credentials/hubmirror.service"


def located(path: Path, environ: Mapping[str, str]) -> Path:
    """Where ``path`` is, if it names a credential; else ``path`` itself.

    Raises ``ValueError`` for a credential without a plain name.
    """
    written = str(path)
    if not written.startswith(_PREFIX):
        return path
    name = written.removeprefix(_PREFIX)
    if not name or "/" in name or name in (".", ".."):
        raise ValueError(f"{written} names no credential: it is credential:NAME, without a folder")
    return Path(environ.get(_VARIABLE) or _OF_SERVICE) / name
