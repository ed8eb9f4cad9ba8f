"""Text from outside, fit to be shown."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from harness.text import clean, clean_lines


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text):
    for shown, allowed in ((clean(text), ""), (clean_lines(text), "\n")):
        assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in allowed]
        assert not set(shown) & set("\u202e\u2066\u200f")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_stays_as_it_is(text):
    assert clean(text) == clean_lines(text) == text


def test_whole_sequences_go_and_line_ends_become_blanks():
    assert clean("a\x1b[1;31mb\x1b[0m\x1b]0;title\x07c\r\nd\te") == "abc d e"
    assert clean("\x9b31mx\x1b[") == "31mx["
    assert clean_lines("a\x1b[2J\r\nb\tc") == "a\nb    c"


def test_cleaning_twice_changes_nothing_more_even_in_nested_sequences():
    nested = "\x1b[\x1b[31m31mx"
    assert "\x1b" not in clean(nested)
