"""The quota of a data folder at rest."""

from __future__ import annotations

import fcntl
import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

from hubmirror.cli.operating.failures import OperationFailed
from hubmirror.cli.operating.quota_atrest import quota_at_rest
from hubmirror.cli.operating.quota_lines import quota_lines
from hubmirror.config import Config, load
from hubmirror.naming import Repository, Tag
from hubmirror.question import Client, ManifestRequest, Outcome, Question
from hubmirror.quota.files import QuotaFiles
from tests.cli.operating.quota_status import LATELY


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A mirror's, whose data folder holds two requests of this day."""
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "x.toml").write_text(
        'data = "data"\n[quota]\nday = 10\n[[quota.reserve]]\nshare = "50%"\nnetworks = "ci"\n'
        '[networks]\nci = "192.0.2.0/24"\n'
    )
    config = load({"config": "x.toml"}, {}, folder=tmp_path, uid=0).config
    files = QuotaFiles.open(config.data)
    quota = files.quota(config.rules, lambda: LATELY)
    for address in ("192.0.2.1", "198.51.100.1"):
        client = Client(address=address, public_url="", user_agent="")
        subject = ManifestRequest(Repository("", "library/busybox"), Tag("latest"))
        question = Question("GET", subject, client)
        quota.admit(question).settle(Outcome.HIT)
    quota.tally.settle()
    files.flush(quota.take_changes())
    files.close()
    return config


def test_what_is_known(config: Config) -> None:
    """Counts, reserves and names; no more than that."""
    told = quota_at_rest(config, lambda: LATELY + 60)
    assert (told["limit"], told["used"], told["remaining"]) == (10, 2, 8)
    assert told["today"]["by_outcome"]["hit"] == 2
    assert told["hit_ratio"] == 1.0
    assert told["reserves"] == [{"name": "ci", "size": 5, "used": 1}]
    assert {(one["client"], one["network"]) for one in told["clients"]} == {
        ("192.0.2.1", "ci"),
        ("198.51.100.1", None),
    }
    assert [one["repository"] for one in told["repositories"]] == ["library/busybox"]
    assert not told.keys() & {"minute", "forecast", "hub", "upstream", "fetches", "login"}


def test_it_can_be_shown(config: Config) -> None:
    """The lines take what there is."""
    now = datetime.fromtimestamp(LATELY, timezone.utc)
    lines = quota_lines(quota_at_rest(config, lambda: LATELY), now)
    assert "             2 of 10 requests, 8 left" in lines


def test_looking_changes_nothing(config: Config) -> None:
    """It may be looked at as often as one likes, and on another day."""
    before = quota_at_rest(config, lambda: LATELY)
    assert quota_at_rest(config, lambda: LATELY + 86400)["used"] == 0
    assert quota_at_rest(config, lambda: LATELY) == before


def test_a_folder_in_use(config: Config) -> None:
    """What another process holds is left alone."""
    lock = os.open(config.data / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OperationFailed, match="can't be used at rest"):
            quota_at_rest(config, lambda: LATELY)
    finally:
        os.close(lock)


def test_no_folder(config: Config) -> None:
    """A name that is wrong makes none."""
    config.data.rename(config.data.with_name("elsewhere"))
    with pytest.raises(OperationFailed, match="no data folder"):
        quota_at_rest(config, lambda: LATELY)
    assert not config.data.exists()


def test_files_that_cannot_be_opened(config: Config) -> None:
    """They are told with the system's own reason."""
    (config.data / "quota.ledger").unlink()
    (config.data / "quota.ledger.new").mkdir()
    with pytest.raises(OperationFailed, match=r"quota's files in .* can't be used: Is a directory"):
        quota_at_rest(config, lambda: LATELY)
