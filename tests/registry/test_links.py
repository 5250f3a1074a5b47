"""The next page of a listing stays on the mirror."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.fields import MAX_FIELD
from hubmirror.registry.links import Link, parse_links, stay_on_mirror

TAGS = "/v2/library/busybox/tags/list"
OWN = re.compile(r'</v2/[!-~]*\?[!-~]+>; rel="next"')


@pytest.mark.parametrize(
    "target",
    [
        "/v2/library/busybox/tags/list?n=2&last=1.36",
        "https://registry-1.docker.io/v2/library/busybox/tags/list?n=2&last=1.36",
        "http://other.example:5000/v2/library/busybox/tags/list?n=2&last=1.36",
        "//other.example/v2/library/busybox/tags/list?n=2&last=1.36",
        "https://other.example/mirrors/v2/library/busybox/tags/list?n=2&last=1.36#top",
        "list?n=2&last=1.36",
        "tags/list?n=2&last=1.36",
        "?n=2&last=1.36",
        " /v2/busybox/tags/list?n=2&last=1.36 ",
    ],
)
def test_the_next_page_is_the_clients_path_with_the_upstreams_query(target: str) -> None:
    """Absolute to any host, relative in any way: the client goes on where it was."""
    expected = f'<{TAGS}?n=2&last=1.36>; rel="next"'
    assert stay_on_mirror(f'<{target}>; rel="next"', TAGS) == expected


@pytest.mark.parametrize("path", ["/v2/_catalog", "/v2/busybox/referrers/sha256:" + "0" * 64])
def test_other_listings(path: str) -> None:
    """The catalog and referrers have pages, too."""
    field = f'<{path.replace(":", "%3A")}?last=x%2Fy>; rel="next"'
    assert stay_on_mirror(field, path) == f'<{path}?last=x%2Fy>; rel="next"'


@pytest.mark.parametrize(
    "parameters",
    ["rel=next", 'rel="prev next"', 'Rel = "NEXT"', 'title="a, b"; rel=next; x', ";rel=next;"],
)
def test_spellings_of_next(parameters: str) -> None:
    """Quoted or not, among others, in any case; only ``rel`` goes out."""
    assert stay_on_mirror(f"<?n=1>;{parameters}", TAGS) == f'<{TAGS}?n=1>; rel="next"'


@pytest.mark.parametrize(
    "field",
    [
        "",
        "?n=1",
        "<?n=1>",
        '<?n=1>; rel="prev"',
        '<?n=1>; rel="next',
        '<?n=1> rel="next"',
        '<?n=1>; anchor="/v2/"; rel="next"',
        '<?n=1>; rel="prev"; rel="next"',
        '</v2/library/busybox/tags/list>; rel="next"',
        '<>; rel="next"',
        '<#n>; rel="next"',
        '</v2/library/busybox/manifests/list?n=1>; rel="next"',
        '</v2/_catalog?n=1>; rel="next"',
        '</library/busybox/tags/list?n=1>; rel="next"',
        '</v2/../token?n=1>; rel="next"',
        '<ftp://a/v2/library/busybox/tags/list?n=1>; rel="next"',
        '<javascript:alert(1)?n=1>; rel="next"',
        '<https://[/v2/library/busybox/tags/list?n=1>; rel="next"',
        '<?n=1\r\nSet-Cookie: a>; rel="next"',
        '<?n=1\x00>; rel="next"',
        '<?n=\xe9>; rel="next"',
        '<?n="<b>">; rel="next"',
    ],
)
def test_what_does_not_stay_is_dropped(field: str) -> None:
    """Other relations and listings, other schemes, controls, malformed fields."""
    assert stay_on_mirror(field, TAGS) is None


def test_of_several_links_the_next_stays() -> None:
    """One field may hold several links, some with commas in their targets or parameters."""
    field = '<?a=1,2>; rel=prev, <?n=3,4>; title="x,y"; rel=next, <?n=9>; rel=last'
    assert stay_on_mirror(field, TAGS) == f'<{TAGS}?n=3,4>; rel="next"'


@pytest.mark.parametrize(
    "path", ["/token", "/v2/a>b/tags/list", "/v2/a\r\nb", "//evil/v2/a/tags/list"]
)
def test_an_odd_path_has_no_next_page(path: str) -> None:
    """The client's own path gets into an answer only where it is a path of the API."""
    assert stay_on_mirror('<?n=1>; rel="next"', path) is None


def test_what_a_query_cannot_hold_is_escaped() -> None:
    """Some upstreams leave out the escapes: the link works, and those there stay as they are."""
    field = '<?last=a b|"c"%2F+=>; rel="next"'
    assert stay_on_mirror(field, TAGS) == f'<{TAGS}?last=a%20b%7C%22c%22%2F+=>; rel="next"'


def test_links_are_parsed() -> None:
    """Targets and parameters as RFC 8288 has them; names in any case."""
    assert parse_links('<a>; Rel="x \\"y\\""; flag, , <b,c>;;n=1') == (
        Link("a", (("Rel", 'x "y"'), ("flag", ""))),
        Link("b,c", (("n", "1"),)),
    )
    assert parse_links("<a>;Rel=x")[0].parameter("rel") == "x"
    assert parse_links("<a>;rel=x")[0].parameter("title") is None


def test_a_field_too_long_has_no_links() -> None:
    """What exceeds 8 KiB isn't looked at."""
    assert parse_links(f"<{'a' * (MAX_FIELD - 2)}>")
    assert not parse_links(f"<{'a' * (MAX_FIELD - 1)}>")


@given(
    st.text() | st.text('</v2/tags/list?n=1>;rel="next",\\ :#'),
    st.sampled_from([TAGS, "/v2/_catalog"]) | st.text(),
)
def test_any_text_stays_or_is_dropped(field: str, path: str) -> None:
    """Nothing raises, and what comes out is a link under /v2/."""
    own = stay_on_mirror(field, path)
    assert own is None or all(OWN.fullmatch(link) for link in own.split(", "))


@given(
    st.text(
        st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="<>#"), min_size=1
    )
)
def test_any_query_leads_to_the_same_listing(query: str) -> None:
    """Whatever the upstream's query says, the path is the client's."""
    own = stay_on_mirror(f"</v2/library/busybox/tags/list?{query}>; rel=next", TAGS)
    assert own is None if not query.strip() else own is not None and own.startswith(f"<{TAGS}?")
