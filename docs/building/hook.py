"""What MkDocs asks while it builds: pages that stand elsewhere, or in no file at all."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File, Files

from docs.building.reference import PAGES

__all__ = ["on_files", "on_page_markdown"]

_ROOT: Final = Path(__file__).parents[2]
#: Files of the repository that are part of the site, and their paths there.
_FROM_ROOT: Final = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "license.txt",
    "etc/hubmirror.toml": "hubmirror.toml",
}
_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the repository's own pages, and those of the reference."""
    for path, name in _FROM_ROOT.items():
        files.append(File.generated(config, name, content=(_ROOT / path).read_text()))
    for name, make in PAGES.items():
        files.append(File.generated(config, name, content=make()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:  # noqa: ARG001
    """Have links lead to where their targets are in the site."""
    own = page.file.src_uri
    if own in PAGES:
        return markdown
    at = next((path for path, name in _FROM_ROOT.items() if name == own), f"docs/{own}")
    return _LINK.sub(lambda match: _in_site(match[1], at, own), markdown)


def _in_site(link: str, at: str, own: str) -> str:
    """``link``, which stands in the file ``at`` of the repository, and on the page ``own``."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(at), link))
    name = _FROM_ROOT.get(target, target.removeprefix("docs/"))
    return posixpath.relpath(name, posixpath.dirname(own) or ".")
