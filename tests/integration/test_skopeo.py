"""skopeo copies, inspects and lists through the mirror."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hubmirror.demo.image import hello_image
from tests.support.hub import PASSWORD, TAGS, USER
from tests.support.mirror import Mirror
from tests.support.programs import run

pytestmark = pytest.mark.integration


def test_copy_all(mirror: Mirror, trust: tuple[str | Path, ...], tmp_path: Path) -> None:
    """``copy --all`` brings the index, both platforms' manifests and every blob, bit for bit."""
    image = hello_image()
    option, *value = trust
    from_mirror = (str(option).replace("--", "--src-", 1), *value)

    source = f"docker://{mirror.authority}/busybox:1.0"
    run("skopeo", "copy", "--all", *from_mirror, source, f"oci:{tmp_path}/copy:1.0")

    kept = {path.name for path in (tmp_path / "copy" / "blobs" / "sha256").iterdir()}
    documents = {image.index.digest, *(manifest.digest for manifest in image.manifests)}
    blobs = {blob.digest for blob in image.blobs}
    assert kept == {digest.encoded for digest in documents | blobs}


def test_inspect(mirror: Mirror, trust: tuple[str | Path, ...]) -> None:
    """``inspect`` tells the digest that was pushed."""
    printed = run("skopeo", "inspect", *trust, f"docker://{mirror.authority}/library/busybox:1.0")

    assert json.loads(printed)["Digest"] == str(hello_image().index.digest)


def test_list_tags(mirror: Mirror, trust: tuple[str | Path, ...]) -> None:
    """``list-tags`` lists all tags."""
    printed = run("skopeo", "list-tags", *trust, f"docker://{mirror.authority}/busybox")

    assert json.loads(printed)["Tags"] == list(TAGS)


def test_private_image(mirror: Mirror, trust: tuple[str | Path, ...]) -> None:
    """A private image is closed to strangers and open to its owner's credentials."""
    image = f"docker://{mirror.authority}/team/secret:1.0"

    run("skopeo", "inspect", *trust, image, status=None)
    run("skopeo", "inspect", *trust, "--creds", f"{USER}:{PASSWORD}", image)
