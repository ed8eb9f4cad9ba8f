"""The options of a command are those of the tables."""

import pytest
import rich_click as click
from click.testing import CliRunner

from harness.bench.request import FarmChoice, NmsAxes, Request, Tls
from harness.cli.options import given_of, options_of
from harness.cli.run import command
from harness.option import declared
from harness.settings import Settings

TABLES = (Request, Settings, NmsAxes, FarmChoice, Tls)
VALUES = {"duration": "2m", "path": "some/path", "percent": "3%", "size": "2GB"}


def argument(one):
    """A value of an option as it is written on the command line, and as it arrives."""
    if one.kind is bool:
        return [], not one.option.switch_off
    if one.option.form:
        return [VALUES[one.option.form]], {
            "duration": 120.0,
            "path": "some/path",
            "percent": 3.0,
            "size": 2_000_000_000,
        }[one.option.form]
    choices = getattr(one.many or one.scalar, "__args__", None)
    if one.keyword == "delegate_options":
        return ["a=b"], (("a", "b"),)
    if choices:
        return [choices[-1]], choices[-1] if one.many is None else (choices[-1],)
    if one.many in (int, float):
        return ["2,3"], (one.many(2), one.many(3))
    if one.many is str:
        return ["x"], ("x",)
    return ["4"], one.scalar("4")


@pytest.fixture
def ask():
    """Parses options of `harness run` and returns what was given."""

    def parse(*args):
        found = {}

        @click.command()
        @options_of(Request)
        @options_of(Settings)
        @options_of(NmsAxes)
        @options_of(FarmChoice)
        @options_of(Tls)
        def run(**options):
            found.update(given_of(options, *TABLES))

        done = CliRunner().invoke(run, args)
        assert done.exit_code == 0, done.output
        return found

    return parse


@pytest.mark.parametrize(
    "one", [one for table in TABLES for one in declared(table)], ids=lambda one: one.keyword
)
def test_every_row_of_the_tables_is_an_option_of_harness_run_that_arrives_under_its_keyword(ask, one):
    (parameter,) = (p for p in command.params if p.name == one.keyword)
    assert one.spelling in parameter.opts
    assert parameter.help.startswith(one.option.switch_off or one.option.help)
    text, value = argument(one)
    assert ask(one.spelling, *text) == {one.keyword: value}


def test_nothing_is_given_where_nothing_is_said(ask):
    assert ask() == {}


def test_a_part_of_a_table_is_chosen_by_its_fields():
    @click.command()
    @options_of(Settings, until="latency")
    @options_of(Settings, after="seed")
    def some(**options): ...

    order = [one.keyword for one in declared(Settings)]
    latency, seed = order.index("latency"), order.index("seed")
    assert [parameter.name for parameter in some.params] == [*order[: latency + 1], *order[seed + 1 :]]
