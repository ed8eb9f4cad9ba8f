"""Which cells are held against each other."""

import pytest

from harness.comparison.match import match
from harness.errors import IncomparableError
from harness.rows.frame import read_results


def matched(base, new):
    return match(read_results([base.folder]).records, read_results([new.folder]).records)


@pytest.fixture
def sides(make_run):
    return make_run("base"), make_run("new")


def test_cells_are_matched_by_model_device_and_delegate_in_any_order(sides):
    base, new = sides
    for model, delegate in (("a", "cpu:1"), ("a", "cpu:4"), ("b", "cpu:1")):
        base.cell(model, delegate)
    for model, delegate in (("b", "cpu:1"), ("a", "cpu:1"), ("a", "cpu:4")):
        new.cell(model, delegate)
    names = [
        (p.base.record.model.name, p.base.record.delegate.requested, p.new.record.model.name)
        for p in matched(base, new).pairs
    ]
    assert names == [("a", "cpu:1", "a"), ("a", "cpu:4", "a"), ("b", "cpu:1", "b")]


def test_another_file_and_another_runtime_are_what_a_comparison_is_for(sides, edit):
    base, new = sides
    base.cell()
    edit(new.cell(runtime="ai-edge-litert 9.9"), model={"sha256": "f" * 64})
    assert len(matched(base, new).pairs) == 1


def test_cells_of_one_side_only_are_missing_or_added(sides):
    base, new = sides
    base.cell("a"), base.cell("gone")
    new.cell("a"), new.cell("fresh")
    found = matched(base, new)
    assert [s.record.model.name for s in found.missing] == ["gone"]
    assert [s.record.model.name for s in found.added] == ["fresh"]


@pytest.mark.parametrize(
    ("part", "key", "values"),
    [
        ({"threads": 4}, "threads", (1, 4)),
        ({"device": {"soc": "another"}}, "soc", ("some", "another")),
        ({"device": {"kind": "adb"}}, "device_kind", ("local", "adb")),
        ({"settings": {"mlperf": True}}, "mlperf", (False, True)),
        ({"model": {"card": {"input": {"width": 320, "height": 300}}}}, "input size", ("300×300", "320×300")),
    ],
)
def test_what_was_not_measured_alike_is_named_with_the_key_and_both_values(sides, edit, part, key, values):
    base, new = sides
    for side in sides:
        edit(
            side.cell(),
            device={"soc": "some"},
            model={"card": {"input": {"width": 300, "height": 300}}},
            settings={"seed": 0},
        )
    edit(new.cells[0], **part)
    found = matched(base, new)
    assert not found.pairs and not found.missing and not found.added
    (odd,) = found.incomparable
    assert (odd.key, (odd.first, odd.second)) == (key, values)
    assert "shapes-float32 on local, cpu:1" in str(odd)
    assert isinstance(odd.error(), IncomparableError)
    assert all(repr(value) in str(odd) for value in values)


def test_a_phone_of_another_make_is_incomparable_and_a_computer_of_another_name_is_not(sides, edit):
    base, new = sides
    for side, name in zip(sides, ("one", "two"), strict=True):
        edit(side.cell("a"), device={"model": name})
        edit(side.cell("b"), device={"model": name, "kind": "adb"})
    found = matched(base, new)
    assert [p.new.record.model.name for p in found.pairs] == ["a"]
    assert [odd.key for odd in found.incomparable] == ["device model"]


def test_cells_of_two_engines_are_compared_only_where_that_is_asked_for(sides, edit):
    for side, runtime in zip(sides, ("ai-edge-litert 2.3.0", "benchmark_model tflite sha256:0"), strict=True):
        side.cell("a", runtime=runtime)
        side.cell("b", runtime=runtime)
    edit(sides[1].cells[1], settings={"mlperf": True})
    found = matched(*sides)
    assert [odd.key for odd in found.incomparable] == ["engine", "engine"]
    assert (found.incomparable[0].first, found.incomparable[0].second) == ("python-worker", "benchmark_model")
    across = match(*(read_results([side.folder]).records for side in sides), across_engines=True)
    assert [pair.new.record.model.name for pair in across.pairs] == ["a"]
    assert len(across.incomparable) == 1, "the other differs in more than that"


def test_a_cell_without_accuracy_is_still_compared_in_speed(sides):
    base, new = sides
    base.cell(), new.cell(map_=None)
    assert len(matched(base, new).pairs) == 1


def test_of_a_cell_that_was_measured_twice_the_newest_counts_and_that_is_said(make_run, edit):
    folder = make_run("base/run-1").folder.parent
    again, new = make_run("base/run-2"), make_run("new")
    first = type(again)(folder / "run-1")
    first.cell(), again.cell(), new.cell()
    edit(first.cells[0], started_at="2026-11-23T00:00:00Z")
    found = match(read_results([folder]).records, read_results([new.folder]).records)
    assert [p.base.record.run_id for p in found.pairs] == ["run-1"]
    assert len(found.remarks) == 1 and "run-2 is passed over" in found.remarks[0]
    edit(first.cells[0], complete=False)
    found = match(read_results([folder]).records, read_results([new.folder]).records)
    assert [p.base.record.run_id for p in found.pairs] == ["run-2"], "one that was interrupted does not count"
