"""The names of the spec: what is in the grammar is kept as it is, all else is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hubmirror.errors import DigestInvalid, ManifestInvalid, NameInvalid, RegistryError
from hubmirror.naming import (
    Digest,
    Repository,
    Scope,
    Tag,
    library_name,
    parse_digest,
    parse_reference,
)

LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"
ALNUM = LOWER + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
HEX = "0123456789abcdef"

words = st.text(LOWER, min_size=1, max_size=6)
separators = st.sampled_from([".", "_", "__", "-", "--", "-----"])
components = st.builds(
    lambda head, tail: head + "".join(separator + word for separator, word in tail),
    words,
    st.lists(st.tuples(separators, words), max_size=3),
)
names = st.lists(components, min_size=1, max_size=5).map("/".join)
tags = st.builds(str.__add__, st.sampled_from(ALNUM + "_"), st.text(ALNUM + "_.-", max_size=127))
digests = st.sampled_from([("sha256", 64), ("sha512", 128)]).flatmap(
    lambda kind: st.text(HEX, min_size=kind[1], max_size=kind[1]).map(f"{kind[0]}:".__add__)
)
odd = st.text() | st.text("aZ0/._-:,\n\u0660\u00e4", max_size=300)


@given(names)
def test_names_of_the_grammar(name: str) -> None:
    """Every name that the spec's grammar makes is one, as long as it is short enough."""
    assume(len("docker.io/") + len(name) <= 255)
    assert Repository("docker.io", name).name == name


@pytest.mark.parametrize(
    "name",
    ["a/manifests/b", "manifests", "blobs/tags", "a--b", "a__b", "0", "a/b/c/d/e/f", "v2/list"],
)
def test_names_that_look_odd(name: str) -> None:
    """Words of the API, several dashes, digits and depth are all right."""
    assert Repository("docker.io", name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "a/",
        "/a",
        "a//b",
        "a/../b",
        "..",
        "a_",
        "-a",
        "a___b",
        "a._b",
        "a..b",
        "a b",
        "a\n",
        "a\x00",
        "a%2fb",
        "\u00e4",
        "\u0661",
        "_catalog",
        "a:b",
        "a@b",
    ],
)
def test_names_outside_the_grammar(name: str) -> None:
    """Upper case, empty and dotted components, odd separators, anything but ASCII."""
    with pytest.raises(NameInvalid):
        Repository("docker.io", name)


def test_a_name_is_255_characters_at_most_with_its_host() -> None:
    """The limit that the spec tells implementations of; the error's detail is no longer."""
    longest = "a" * (255 - len("docker.io/"))
    assert Repository("docker.io", longest).name == longest
    with pytest.raises(NameInvalid) as caught:
        Repository("docker.io", longest + "a" * 1000)
    assert caught.value.detail == {"name": "a" * 255}


@given(tags)
def test_tags_of_the_grammar(tag: str) -> None:
    """Every tag is a reference, and is spelt as it came."""
    assert parse_reference(tag) == Tag(tag)
    assert str(Tag(tag)) == tag


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a/b", "a b", "a\n", "\u00e4", "a" * 129, "a@b"])
def test_tags_outside_the_grammar(tag: str) -> None:
    """No leading dot or dash, no slash, 128 characters at most."""
    with pytest.raises(ManifestInvalid):
        parse_reference(tag)


@given(digests)
def test_digests_of_the_grammar(text: str) -> None:
    """Every digest is a reference, and is spelt as it came."""
    digest = parse_digest(text)
    assert parse_reference(text) == digest
    assert str(digest) == text
    assert (digest.algorithm, digest.encoded) == tuple(text.split(":"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256",
        "sha256:",
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "sha256:" + "a" * 63 + "\n",
        "sha512:" + "a" * 64,
        "SHA256:" + "a" * 64,
        "md5:" + "a" * 32,
        "sha256:sha256:" + "a" * 57,
        "sha256:" + "\u0661" * 64,
    ],
)
def test_digests_outside_the_grammar(text: str) -> None:
    """Unknown algorithms, wrong lengths, upper case."""
    with pytest.raises(DigestInvalid):
        parse_digest(text)


PARSERS: list[Callable[[str], Repository | Tag | Digest]] = [
    partial(Repository, "docker.io"),
    Tag,
    parse_digest,
    parse_reference,
]


@given(st.sampled_from(PARSERS), odd)
def test_any_text_is_parsed_or_refused(
    parse: Callable[[str], Repository | Tag | Digest], text: str
) -> None:
    """Nothing but an error of the registry is raised."""
    try:
        parsed = parse(text)
    except RegistryError:
        return
    assert (parsed.name if isinstance(parsed, Repository) else str(parsed)) == text


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("repository:busybox:pull", Scope("repository", "busybox", ("pull",))),
        ("repository:a/b:pull,push", Scope("repository", "a/b", ("pull", "push"))),
        ("repository:h:5000/a:pull", Scope("repository", "h:5000/a", ("pull",))),
        ("registry:catalog:*", Scope("registry", "catalog", ("*",))),
        ("repository:a:", Scope("repository", "a", ("",))),
    ],
)
def test_scopes(text: str, scope: Scope) -> None:
    """Type and actions are cut off the ends: the name may hold colons."""
    assert Scope.parse(text) == scope
    assert str(scope) == text


@pytest.mark.parametrize("text", ["", "a", "a:b", ":a:b", "a::b", "::"])
def test_no_scopes(text: str) -> None:
    """What has no type or no name is none."""
    assert Scope.parse(text) is None


@given(st.text() | st.text("ab:,", max_size=10))
def test_any_text_is_a_scope_or_none(text: str) -> None:
    """What is understood is spelt again as it came."""
    scope = Scope.parse(text)
    assert scope is None or str(scope) == text


def test_library_names() -> None:
    """One component is an official image of Docker Hub, more are somebody's."""
    assert library_name("busybox") == "library/busybox"
    assert library_name("library/busybox") == "library/busybox"
    assert library_name("a/b/c") == "a/b/c"
