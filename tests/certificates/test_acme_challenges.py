"""What proves a name, while it is asked for."""

from __future__ import annotations

import pytest

from hubmirror.certificates.acme_challenges import Challenges


def test_answers_only_what_is_under_way() -> None:
    """Also where the work on it fails."""
    challenges = Challenges()
    with challenges.under_way("one", "1"), challenges.under_way("two", "2"):
        assert [challenges.answer(token) for token in ("one", "two", "three")] == ["1", "2", None]
    with pytest.raises(RuntimeError), challenges.under_way("one", "1"):
        raise RuntimeError
    assert challenges.answer("one") is None
