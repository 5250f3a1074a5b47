"""``python -m hubmirror.cli.describing FOLDER``: manual pages and completions as files, to ship."""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from hubmirror.cli.describing.completions import SHELLS, completions
from hubmirror.cli.describing.manual import Edition, command_page, settings_page
from hubmirror.cli.describing.tree import command_tree
from hubmirror.config import SETTINGS
from hubmirror.options import version

__all__ = ["main"]


def main(folder: Path, now: float) -> None:
    """Write ``hubmirror.1``, ``hubmirror.toml.5`` and ``hubmirror.bash`` and its like."""
    edition = Edition(version(), datetime.fromtimestamp(now, timezone.utc).date())
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "hubmirror.1": command_page(command_tree(), edition),
        "hubmirror.toml.5": settings_page(SETTINGS, edition),
        **{f"hubmirror.{shell}": completions(shell) for shell in SHELLS},
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
