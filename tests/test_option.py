"""What a user may say is declared once, and everything else is made of that."""

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from harness.errors import UsageError
from harness.option import Option, declared


@dataclass(frozen=True, kw_only=True)
class Table:
    count: Annotated[int, Option("How many.", least=1, noun="thing")] = 3
    seconds: Annotated[float | None, Option("How long.", "-s --time", form="duration", least=0.5)] = None
    quiet: Annotated[bool, Option("Say things.", switch_off="Say nothing.")] = True
    kinds: Annotated[tuple[Literal["a", "b"], ...], Option("Which.", keyword="kind")] = ()
    hidden: int = 0


COUNT, SECONDS, QUIET, KINDS = declared(Table)


def test_the_options_of_a_table_stand_in_its_order_and_other_fields_are_no_options():
    assert [one.name for one in declared(Table)] == ["count", "seconds", "quiet", "kinds"]


def test_a_subclass_has_the_options_of_its_base():
    @dataclass(frozen=True, kw_only=True)
    class More(Table):
        more: int = 1

    assert declared(More) == declared(Table)


def test_the_spelling_is_the_name_unless_another_is_given():
    assert [one.spelling for one in declared(Table)] == ["--count", "--time", "--no-quiet", "--kind"]
    assert [one.keyword for one in declared(Table)] == ["count", "seconds", "quiet", "kind"]


def test_the_type_of_a_value_is_known_with_and_without_none():
    assert (COUNT.scalar, SECONDS.scalar, QUIET.scalar) == (int, float, bool)
    assert KINDS.many == Literal["a", "b"] and SECONDS.many is None


@pytest.mark.parametrize(
    ("one", "value", "text"),
    [
        (COUNT, 0, "--count: found 0, expected at least 1 thing"),
        (COUNT, -12345678, "--count: found -12345678, expected at least 1 thing"),
        (SECONDS, 0.25, "--time: found 0.25, expected at least 0.5"),
        (SECONDS, float("nan"), "--time: found nan, expected at least 0.5"),
        (SECONDS, float("inf"), "--time: found inf, expected at least 0.5"),
    ],
)
def test_a_number_out_of_range_is_an_error_that_names_the_option(one, value, text):
    with pytest.raises(UsageError) as error:
        one.check(value)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("one", "value"), [(COUNT, 1), (COUNT, None), (SECONDS, 0.5), (QUIET, False), (KINDS, ())]
)
def test_what_is_in_range_or_has_none_is_let_through(one, value):
    one.check(value)
