"""The settings of the https listeners' certificate."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubmirror.config import ConfigError, load
from hubmirror.config.certificate_settings import LETS_ENCRYPT, host_names, is_public_name

SERVING = {"https": ":443"}


def problems(**flags: str) -> list[str]:
    """What is wrong with these flags."""
    with pytest.raises(ConfigError) as caught:
        load({**SERVING, **flags}, {})
    return [str(problem) for problem in caught.value.problems]


def test_one_flag_is_enough() -> None:
    """All else has a default."""
    config = load({**SERVING, "acme": "hub.example.org"}, {}).config
    assert config.acme == ("hub.example.org",)
    assert config.acme_directory == LETS_ENCRYPT
    assert (config.acme_email, config.acme_ca, config.acme_eab_key) == (None, None, None)
    assert config.https_redirect is False


def test_a_file_may_have_a_table_of_it(tmp_path: Path) -> None:
    """With the key of an account that the operator has."""
    key = tmp_path / "key"
    key.write_text("c2VjcmV0LXNlY3JldC1zZWNyZXQ\n")
    key.chmod(0o600)
    (tmp_path / "file").write_text(
        'https = ":443"\n[acme]\nnames = ["a.example.org", "b.example.org"]\nemail = "a@b.org"\n'
        'directory = "https://ca.internal/dir"\neab_kid = "kid-1"\neab_key_file = "key"\n'
    )
    config = load({"config": str(tmp_path / "file")}, {}).config
    assert config.acme == ("a.example.org", "b.example.org")
    assert config.acme_email == "a@b.org"
    assert config.acme_eab_key == "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
    assert "c2Vj" not in repr(config)


def test_names_are_as_certificates_have_them() -> None:
    """Lower case, A-labels, no final dot, each once."""
    assert host_names(["HUB.Example.org.", "hub.example.org", "b\u00fccher.example"]) == (
        "hub.example.org",
        "xn--bcher-kva.example",
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("192.0.2.1", "is an address"),
        ("[2001:db8::1]", "is an address"),
        ("*.example.org", "DNS-01"),
        ("1.2.3", "not a host name"),
        ("a_b.example.org", "not a host name"),
        ("-a.example.org", "not a host name"),
        ("hub..org", "not a host name"),
        ("https://hub.example.org", "not a host name"),
        ("hub.example.org:443", "not a host name"),
        ("a" * 64 + ".org", "not a host name"),
        (".".join(["abcdefgh"] * 29), "not a host name"),
        (",".join(f"h{n}.example.org" for n in range(101)), "100 is the most"),
    ],
)
def test_what_is_no_name(name: str, why: str) -> None:
    """Told with the reason."""
    (told,) = problems(acme=name)
    assert why in told


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("acme_email", "nobody"),
        ("acme_email", "a@b.org, c@d.org"),
        ("acme_directory", "http://ca.example.org/dir"),
        ("acme_directory", "https://user:password@ca.example.org/dir"),
        ("acme_eab_kid", "two words"),
        ("acme_ca", "/missing"),
    ],
)
def test_what_else_is_wrong(setting: str, value: str) -> None:
    """Each by itself; a password is not quoted."""
    told = problems(acme="hub.example.org", **{setting: value})
    assert told[0].startswith(setting)
    assert "password@" not in told[0]


@pytest.mark.parametrize(
    ("name", "is_public"),
    [
        ("hub.example.org", True),
        ("local.example.org", True),
        ("hub", False),
        ("hub.local", False),
        ("hub.home.arpa", False),
        ("hub.corp.internal", False),
    ],
)
def test_which_names_the_public_dns_has(name: str, *, is_public: bool) -> None:
    """Others no public CA can know of."""
    assert is_public_name(name) is is_public
