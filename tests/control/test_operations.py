"""Operations by their names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hubmirror.cache.image_names import ImageNameInvalid
from hubmirror.cache.inventory import NotKept
from hubmirror.cache.reports import (
    Exported,
    ImportedAll,
    KeptImage,
    Pinned,
    Problem,
    Pruned,
    Pulled,
    Removed,
    ShownImage,
    Verified,
)
from hubmirror.control.operations import NAMES, NeedsDaemon, QuotaTold, UsageInvalid
from tests.cache.collecting import collect
from tests.control.caches import Cache


@pytest.mark.parametrize(
    ("name", "values", "last"),
    [
        ("ls", {}, KeptImage),
        ("show", {"images": ["busybox:1"]}, ShownImage),
        ("verify", {}, Verified),
        ("verify", {"images": ["busybox:1"]}, Verified),
        ("pin", {"images": ["busybox"]}, Pinned),
        ("rm", {"images": ["busybox"]}, Removed),
        ("prune", {}, Pruned),
        ("pull", {"images": ["busybox"]}, Pulled),
        ("refresh", {"images": ["busybox:1"]}, Pulled),
        ("quota", {}, QuotaTold),
    ],
)
def test_each(name: str, values: dict[str, object], last: type) -> None:
    """What its reports end in."""
    assert isinstance(collect(Cache().operations().begin(name, values))[-1], last)


def complaint(name: str) -> str:
    """What is said of the operation with arguments that none takes."""
    try:
        Cache().operations().begin(name, {"images": "no list"})
    except UsageInvalid as error:
        return str(error)
    return ""


def test_every_name_is_known() -> None:
    """None of them is refused for its name."""
    assert "no operation" in complaint("eat")
    assert not [name for name in NAMES if "no operation" in complaint(name)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("eat", {}),
        ("show", {}),
        ("show", {"images": ["a", "b"]}),
        ("ls", {"images": "busybox"}),
        ("ls", {"images": [1]}),
        ("rm", {}),
        ("export", {}),
        ("export", {"images": ["busybox"]}),
        ("import", {}),
        ("import", {"public": 1}),
        ("pull", {}),
    ],
)
def test_wrong_usage(name: str, values: dict[str, object]) -> None:
    """It is told before anything begins."""
    with pytest.raises(UsageInvalid):
        Cache().operations().begin(name, values)


def test_wrong_names() -> None:
    """An image's name is looked at before anything begins."""
    with pytest.raises(ImageNameInvalid):
        Cache().operations().begin("rm", {"images": ["Busybox"]})


def test_unpin() -> None:
    """It undoes ``pin``."""
    operations = Cache().operations()
    collect(operations.begin("pin", {"images": ["busybox:1"]}))

    (unpinned,) = collect(operations.begin("unpin", {"images": ["busybox:1"]}))

    assert unpinned == Pinned("docker.io/library/busybox:1", False)


def test_export_and_import(tmp_path: Path) -> None:
    """The files that came stay the caller's."""
    file = os.open(tmp_path / "x.tar", os.O_RDWR | os.O_CREAT)
    operations = Cache().operations()

    exported = collect(operations.begin("export", {"images": ["busybox:1"]}, [file]))[-1]
    imported = collect(operations.begin("import", {"name": [], "public": True}, [file]))[-1]

    assert isinstance(exported, Exported)
    assert imported == ImportedAll(1, 0)
    os.close(file)


def test_one_of_several_fails() -> None:
    """The others are pulled all the same."""
    cache = Cache()

    reports = collect(cache.operations().begin("pull", {"images": ["missing", "busybox"]}))

    assert reports[0] == Problem("docker.io/library/missing:latest", "the answer was 404")
    assert isinstance(reports[-1], Pulled)


def test_platforms() -> None:
    """A pull is for those that were named, a refresh else for those that are here."""
    cache = Cache()
    operations = cache.operations()

    for name in ("pull", "refresh"):
        for platforms in ([], ["linux/386"]):
            collect(operations.begin(name, {"images": ["busybox:1"], "platforms": platforms}))

    image = "docker.io/library/busybox:1"
    assert cache.puller.pulled == [
        (image, ["all"], False),
        (image, ["linux/386"], False),
        (image, ["linux/amd64", "linux/arm64"], True),
        (image, ["linux/386"], True),
    ]


def test_refresh_what_is_not_here() -> None:
    """It is a problem of that image."""
    (problem,) = collect(Cache().operations().begin("refresh", {"images": ["busybox:2"]}))

    assert isinstance(problem, Problem)
    assert "nothing is kept" in problem.message


@pytest.mark.parametrize("name", ["pull", "refresh"])
def test_at_rest(name: str) -> None:
    """Nobody can be asked."""
    with pytest.raises(NeedsDaemon):
        Cache().operations(puller=None).begin(name, {"images": ["busybox"]})


def test_what_ends_early() -> None:
    """The reports end in the operation's own error."""
    with pytest.raises(NotKept):
        collect(Cache().operations().begin("show", {"images": ["busybox:2"]}))


def test_quota() -> None:
    """It is looked at when it is asked for; where nothing is counted there is none."""
    told = {"used": 1}
    operations = Cache().operations(quota=lambda: dict(told))
    asked = operations.begin("quota", {})
    told["used"] = 2

    assert [one.as_json() for one in collect(asked)] == [{"event": "quota", "quota": {"used": 2}}]
    with pytest.raises(NeedsDaemon):
        collect(Cache().operations(quota=None).begin("quota", {}))
