"""Challenges: the grammar, the way back to text, and the rewritten realm."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.fields import MAX_FIELD, is_quotable
from hubmirror.upstream.challenge import Challenge, parse_challenges, rewrite_realm

HUB = (
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
    'scope="repository:library/busybox:pull,push"'
)
MIRROR = "https://mirror.example/token"

tokens = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12)
values = st.text(st.characters(max_codepoint=0xFF), max_size=30).filter(is_quotable)
parameters = st.lists(
    st.tuples(tokens, values), max_size=5, unique_by=lambda pair: pair[0].lower()
).map(tuple)
token68s = st.from_regex(r"[A-Za-z0-9._~+/-]+=*", fullmatch=True)
challenges = st.builds(Challenge, tokens, st.none(), parameters) | st.builds(
    Challenge, tokens, token68s
)


def test_the_hubs_challenge() -> None:
    """Commas within quotes belong to the value."""
    (challenge,) = parse_challenges([HUB])
    assert challenge.is_scheme("bearer")
    assert challenge.parameter("Realm") == "https://auth.docker.io/token"
    assert challenge.parameter("service") == "registry.docker.io"
    assert challenge.parameter("scope") == "repository:library/busybox:pull,push"
    assert challenge.parameter("error") is None
    assert str(challenge) == HUB


def test_several_challenges_in_one_field_and_several_fields() -> None:
    """The example of RFC 9110, section 11.6.1, with a Negotiate before and a token68 behind."""
    fields = [
        'Negotiate, Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="s"',
        "Negotiate YWJj==",
    ]
    assert parse_challenges(fields) == (
        Challenge("Negotiate"),
        Challenge(
            "Newauth",
            parameters=(("realm", "apps"), ("type", "1"), ("title", 'Login to "apps"')),
        ),
        Challenge("Basic", parameters=(("realm", "s"),)),
        Challenge("Negotiate", "YWJj=="),
    )


@pytest.mark.parametrize(
    "field",
    [
        'bEaReR REALM="r"',
        'BEARER , realm="r"',
        'Bearer realm = "r"',
        'Bearer realm="\\r"',
        ",, Bearer realm=r ,,",
        '  Bearer  realm="r"\t',
    ],
)
def test_odd_spellings_that_the_grammar_allows(field: str) -> None:
    """Case, white space, escapes, empty list elements and unquoted values make no difference."""
    (challenge,) = parse_challenges([field])
    assert challenge.is_scheme("Bearer")
    assert challenge.parameters in ((("realm", "r"),), (("REALM", "r"),))


@pytest.mark.parametrize(
    "field",
    [
        "",
        ",",
        "=",
        'Bearer realm="open',
        'Bearer realm="open\\"',
        'Bearer realm="a" service="b"',
        'Bearer realm="a"service="b"',
        'Bearer realm="a", REALM="b"',
        'Bearer realm="a\r\nSet-Cookie: b"',
        'Bearer realm="a", =b',
        "Bearer realm=a b",
        "Bearer\trealm=a",
        'Bearer realm="\u20ac"',
        '"Bearer" realm="a"',
        "Bearer a,b c d",
    ],
)
def test_malformed_fields_yield_nothing(field: str) -> None:
    """A field outside the grammar is dropped as a whole, and the next one is read."""
    assert parse_challenges([field, HUB]) == parse_challenges([HUB])


def test_a_field_too_long_yields_nothing() -> None:
    """What exceeds 8 KiB isn't looked at."""
    padding = MAX_FIELD - len('Basic realm=""')
    assert parse_challenges([f'Basic realm="{"a" * padding}"'])
    assert not parse_challenges([f'Basic realm="{"a" * padding}a"'])


@given(st.lists(challenges, max_size=4))
def test_parsing_is_the_inverse_of_writing(written: list[Challenge]) -> None:
    """In fields of their own and in one field, challenges are read as they were written."""
    assert list(parse_challenges(map(str, written))) == written
    assert list(parse_challenges([", ".join(map(str, written))])) == written


@given(st.text() | st.text('Bearer=", \\\t'))
def test_any_text_is_parsed_or_dropped(text: str) -> None:
    """Nothing raises, and what was understood can be written and read again."""
    understood = parse_challenges([text])
    assert parse_challenges(map(str, understood)) == understood


@pytest.mark.parametrize("piece", ["a", "a=", "=", '"', '\\"', ",", " ", "a ", "a,", "a=b,", 'a="'])
def test_hostile_repetition_takes_linear_time(piece: str) -> None:
    """8 KiB of one piece, behind a good start, is read in moments: quadratic would be seconds."""
    hostile = ('Bearer realm="' + piece * MAX_FIELD)[:MAX_FIELD]
    bare = ("Bearer " + piece * MAX_FIELD)[:MAX_FIELD]
    began = process_time()
    parse_challenges([hostile, bare])
    assert process_time() - began < 0.5


@pytest.mark.parametrize(
    ("scheme", "token68", "pairs"),
    [
        ("", None, ()),
        ("Bear er", None, ()),
        ("Bearer", "", ()),
        ("Bearer", "a b", ()),
        ("Bearer", "abc", (("realm", "r"),)),
        ("Bearer", None, (("realm", "a\r\nb"),)),
        ("Bearer", None, (("re alm", "r"),)),
        ("Bearer", None, (("realm", "r"), ("Realm", "r"))),
    ],
)
def test_impossible_challenges_are_refused(
    scheme: str, token68: str | None, pairs: tuple[tuple[str, str], ...]
) -> None:
    """A value that could not be spelt, or would break out of its header, can't be made."""
    with pytest.raises(ValueError, match=r"."):
        Challenge(scheme, token68, pairs)


def test_the_realm_is_rewritten_and_all_else_kept() -> None:
    """Bearer realms are ours, in dockers' exact form; Basic and the order stay."""
    fields = [f'Basic realm="Registry", {HUB}', 'bearer error=invalid_token,Realm="x"', "Negotiate"]
    assert rewrite_realm(fields, MIRROR) == (
        'Basic realm="Registry"',
        f'Bearer realm="{MIRROR}",service="registry.docker.io",'
        'scope="repository:library/busybox:pull,push"',
        f'bearer error="invalid_token",Realm="{MIRROR}"',
        "Negotiate",
    )


def test_an_unparseable_field_is_not_passed_on() -> None:
    """What can't be read might lead a client past the mirror."""
    assert rewrite_realm(['Bearer realm="https://auth.docker.io/token', "Basic"], MIRROR) == (
        "Basic",
    )


@given(st.lists(challenges, max_size=3), values)
def test_rewriting_changes_realms_only(written: list[Challenge], realm: str) -> None:
    """Seen through the parser, only a Bearer's realm differs."""
    rewritten = parse_challenges(rewrite_realm(map(str, written), realm))
    assert len(rewritten) == len(written)
    for before, after in zip(written, rewritten, strict=True):
        if before.is_scheme("Bearer") and before.parameter("realm") is not None:
            assert after.parameter("realm") == realm
        else:
            assert after == before


@given(parameters, st.sampled_from(["Bearer", "bearer", "BEARER"]), values)
def test_no_realm_of_the_upstream_survives(
    pairs: tuple[tuple[str, str], ...], scheme: str, upstream_realm: str
) -> None:
    """However it is spelt, a Bearer challenge leaves with the mirror's realm, all else the same."""
    others = tuple(pair for pair in pairs if pair[0].lower() != "realm")
    before = Challenge(scheme, None, (*others, ("realm", upstream_realm)))
    assert parse_challenges(rewrite_realm([str(before)], MIRROR)) == (
        Challenge(scheme, None, (*others, ("realm", MIRROR))),
    )
