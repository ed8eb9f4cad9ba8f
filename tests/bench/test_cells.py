"""Models, devices and delegates are crossed, and what is known not to work is skipped with the reason."""

from dataclasses import replace

import pytest

from harness.bench.request import Request, with_given
from harness.bench.rules import Override, Rule, Tuning
from harness.errors import UnknownNameError, UsageError
from harness.session import prepare


def names(ready):
    return [(cell.model.name, str(cell.delegate)) for cell in ready.plan.cells]


def test_every_model_is_crossed_with_every_delegate_in_the_order_they_are_given(prepared):
    ready = prepared()
    assert names(ready) == [
        ("shapes-float32", "cpu:1"),
        ("shapes-float32", "cpu-reference:1"),
        ("shapes-full-integer", "cpu:1"),
        ("shapes-full-integer", "cpu-reference:1"),
    ]
    assert [cell.index for cell in ready.plan.cells] == [1, 2, 3, 4]


def test_what_is_excluded_is_left_out_and_what_is_overridden_is_set_the_last_rule_wins(prepared):
    rules = {
        "exclude": (Rule(model="*-integer", delegate="cpu:*"),),
        "override": (
            Override(delegate="cpu:*", set=Tuning(repetitions=3, min_runs=9)),
            Override(model="shapes-float32", set=Tuning(repetitions=4)),
        ),
    }
    ready = prepared(**rules)
    assert ("shapes-full-integer", "cpu:1") not in names(ready) and len(names(ready)) == 3
    first, second, third = (cell.settings for cell in ready.plan.cells)
    assert (first.repetitions, first.min_runs) == (4, 9)
    assert (second.repetitions, second.min_runs) == (4, 2) and third.repetitions == 2


def test_a_delegate_that_the_device_does_not_offer_is_a_skipped_cell_with_the_reason(prepared):
    cells = prepared(delegates=("cpu:1", "hexagon")).plan.cells
    assert [cell.skip is None for cell in cells] == [True, False, True, False]
    assert cells[1].skip == "local offers cpu, cpu-reference, not hexagon"
    assert not (cells[1].wants_latency or cells[1].wants_accuracy or cells[1].wants_operators)


def test_an_external_library_is_tried_and_its_options_go_to_nothing_else(prepared, tmp_path):
    ready = prepared(delegates=(f"external:{tmp_path}/lib.so", "cpu:1"), delegate_options=(("a", "b"),))
    external, cpu = ready.plan.cells[:2]
    assert external.skip is None and external.delegate.given_options and not cpu.delegate.given_options


def test_switching_is_to_the_next_model_of_the_plan_and_needs_one(prepared, quick):
    settings = replace(quick, switch_models=True)
    cells = prepared(settings=settings, delegates=("cpu:1",)).plan.cells
    assert [cell.other.name for cell in cells] == ["shapes-full-integer", "shapes-float32"]
    with pytest.raises(UsageError, match="is the only model on local with cpu:1: name two"):
        prepared(settings=settings, models=("shapes-float32",))


def test_a_misspelt_delegate_is_an_error_that_names_it(prepared):
    with pytest.raises(UnknownNameError, match="Did you mean cpu"):
        prepared(delegates=("cpuu",))


def delegates(run):
    return list(dict.fromkeys(str(cell.delegate) for cell in run.plan.cells))


def test_without_delegates_the_kernels_without_xnnpack_are_measured_for_the_example_only(prepared):
    assert delegates(prepared(models=(), delegates=())) == ["cpu:1", "cpu:2", "cpu-reference:1"]
    assert delegates(prepared(models=("shapes-float32",), delegates=())) == ["cpu:1", "cpu:2"]
    assert delegates(prepared(models=("shapes-float32",), delegates=("cpu-reference",))) == [
        "cpu-reference:1"
    ]


def test_a_quick_look_is_one_process_of_one_delegate_and_says_so(repository, tmp_path):
    place = {"workspace": str(repository), "output": str(tmp_path)}
    look = prepare(with_given(Request(models=("shapes-float32",), **place), {"quick": True}))
    (cell,) = look.plan.cells
    assert (str(cell.delegate), cell.settings.repetitions) == ("cpu:2", 1) and len(cell.dataset.images) == 20
    assert any("decide nothing" in remark for remark in look.remarks)
    given = {"quick": True, "limit": 5, "repetitions": 2, "delegates": ("cpu:1",)}
    (cell,) = prepare(with_given(Request(models=("shapes-float32",), **place), given)).plan.cells
    assert (str(cell.delegate), cell.settings.repetitions) == ("cpu:1", 2) and len(cell.dataset.images) == 5


def test_a_model_of_the_user_s_is_measured_on_one_thread_and_on_all_cores(prepared, monkeypatch):
    monkeypatch.setattr("harness.bench.cells.available_cores", lambda: 6)
    assert delegates(prepared(models=("shapes-float32",), delegates=())) == ["cpu:1", "cpu:6"]
    assert delegates(prepared(models=(), delegates=())) == ["cpu:1", "cpu:2", "cpu-reference:1"]
    monkeypatch.setattr("harness.bench.cells.available_cores", lambda: 1)
    assert delegates(prepared(models=("shapes-float32",), delegates=())) == ["cpu:1"]


@pytest.mark.parametrize(
    ("kind", "given", "seconds"),
    [
        ("local", {}, 0.2),
        ("coral", {}, 0.2),
        ("adb", {}, 1.0),
        ("ssh", {}, 1.0),
        ("ssh", {"min_seconds": 0.5}, 0.1),
        ("ssh", {"against": "m"}, 1.0),
        ("local", {"against": "m"}, 0.2),
    ],
)
def test_a_process_on_a_phone_or_board_is_watched_for_a_second_unless_another_time_is_asked_for(
    kind, given, seconds
):
    from types import SimpleNamespace

    # private: a device of each kind of connection would be needed to make its cells
    from harness.bench.cells import _settings

    profile = SimpleNamespace(data=SimpleNamespace(repetitions=5, connection=SimpleNamespace(kind=kind)))
    request = with_given(Request(models=("m",)), given)
    settings = _settings(request, profile, ("m", "d", "cpu:1"))
    assert settings.seconds_a_process == pytest.approx(seconds)
    assert settings.repetitions == (10 if given.get("against") else 5)
