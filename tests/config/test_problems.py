"""Tests of what a person reads about a wrong configuration."""

from hubmirror.config.problems import ConfigError, PartsInvalid, Problem


def test_a_problem_tells_all_it_knows() -> None:
    """Key, fault, what is allowed and the source stand on one line."""
    problem = Problem("quota", "'x' is no number", "a number", "flag --quota")
    assert str(problem) == "quota: 'x' is no number; allowed: a number (flag --quota)"


def test_a_problem_leaves_out_what_it_does_not_know() -> None:
    """Without a source or a word on what is allowed there are no empty brackets."""
    assert str(Problem("http", "both are off")) == "http: both are off"


def test_the_error_lists_every_problem() -> None:
    """The error's text has a line for each problem."""
    error = ConfigError([Problem("a", "one"), Problem("b", "two")])
    assert str(error) == "a: one\nb: two"


def test_a_problem_of_a_part() -> None:
    """Its key is that of the whole and the way from there."""
    part = Problem("[2].share", "it is odd", "even ones")
    assert str(PartsInvalid([part])) == "[2].share it is odd"
    assert part.within("reserve", "file x") == Problem(
        "reserve[2].share", "it is odd", "even ones", "file x"
    )
