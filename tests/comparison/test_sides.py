"""Two models, two cells of one run, and what only one of the columns needs."""

import pytest

from harness.comparison.compare import compare_sides
from harness.comparison.expression import parse
from harness.comparison.gate import judge
from harness.comparison.rows import to_rows
from harness.comparison.sides import find_sides
from harness.errors import UnknownNameError, UsageError


@pytest.fixture
def compared(tmp_path):
    """A function that compares as the command does, with runs below `tmp_path`."""

    def compare(base, *new, match=()):
        return compare_sides(find_sides([base], list(new), match, tmp_path))

    return compare


@pytest.fixture
def rows(compared):
    def rows(*names, **given):
        found = compared(*names, **given)
        return to_rows(found, judge(found, []))

    return rows


@pytest.fixture
def in_turn(edit):
    """A function that gives the processes of cells the times of rounds: all first ones, then all second ones."""

    def set_times(*folders):
        import json

        for place, folder in enumerate(folders):
            processes = json.loads((folder / "record.json").read_text())["processes"]
            for process in processes:
                process["started_at"] = f"2026-11-21T09:{process['index']:02d}:{10 * place:02d}Z"
            edit(folder, processes=processes)

    return set_times


@pytest.fixture
def two_models(make_run, in_turn):
    """A run of two models, ten rounds in turn, the second 5 % slower."""
    run = make_run("run")
    folders = [
        run.cell(name, median_ms=median, n_processes=10, spread=0.004)
        for name, median in (("yolo-a", 4.0), ("yolo-b", 4.2))
    ]
    in_turn(*folders)
    return run


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (("run:yolo-a", "run:yolo-b"), ()),
        (("run", "run"), ("yolo-a=yolo-b",)),
        (("run",), ("yolo-a=yolo-b",)),
    ],
)
def test_two_models_of_one_run_are_compared_round_by_round(two_models, rows, names, match):
    (row,) = rows(*names, match=match)
    assert (row["base_model"], row["new_model"], row["order"]) == ("yolo-a", "yolo-b", "by round")
    assert row["decision"] == "slower"
    assert row["difference_percent"] == pytest.approx(5, abs=0.5)
    assert row["low"] < 5 < row["high"]


def test_a_run_that_was_measured_against_a_base_holds_both_sides(two_models, rows, edit):
    edit(two_models.cells[1], against="yolo-a")
    (row,) = rows("run")
    assert (row["base_model"], row["new_model"], row["decision"]) == ("yolo-a", "yolo-b", "slower")


def test_one_run_of_one_side_says_what_is_missing(two_models, rows):
    with pytest.raises(UsageError, match="name a second run, or two of its models with --match A=B"):
        rows("run")


def test_a_model_that_is_not_there_is_named_with_those_that_are(two_models, rows):
    for names, match in ((("run:yolo-c", "run:yolo-b"), ()), (("run",), ("yolo-c=yolo-b",))):
        with pytest.raises(UnknownNameError, match="yolo-a"):
            rows(*names, match=match)
    with pytest.raises(UsageError, match="expected A=B"):
        rows("run", match=("yolo-a",))


def test_a_model_under_another_name_is_matched_and_the_others_by_theirs(make_run, compared):
    base, new = make_run("base"), make_run("new")
    base.cell("old-name"), base.cell("same")
    new.cell("new-name"), new.cell("same")
    pairs = compared("base", "new", match=["old-name=new-name"]).matching.pairs
    names = [(pair.base.record.model.name, pair.new.record.model.name) for pair in pairs]
    assert names == [("old-name", "new-name"), ("same", "same")]
    assert pairs[0].name == "new-name on local, cpu:1 (against old-name)"


def test_input_sizes_may_differ_where_two_models_were_chosen(two_models, rows, edit):
    for folder, width in zip(two_models.cells, (320, 640), strict=True):
        edit(folder, model={"card": {"input": {"width": width, "height": width}}})
    assert len(rows("run:yolo-a", "run:yolo-b")) == 1


def test_a_drift_over_the_rounds_is_in_both_and_takes_no_decision_away(make_run, rows, in_turn):
    """Everything becomes 30 % slower over ten rounds: each side alone says nothing, the rounds do."""
    run = make_run("run")
    folders = [run.cell(name, median_ms=median, n_processes=10) for name, median in (("a", 4.0), ("b", 4.2))]
    in_turn(*folders)
    _slow_down(folders)
    (row,) = rows("run:a", "run:b")
    assert (row["base_verdict"], row["new_verdict"]) == ("noisy", "noisy")
    assert row["decision"] == "slower"
    assert row["difference_percent"] == pytest.approx(5, abs=0.5)


def _slow_down(folders):
    import json

    from harness.records.files import checksum
    from harness.records.samples import load_samples, to_bytes

    for folder in folders:
        record = json.loads((folder / "record.json").read_text())
        for process in record["processes"]:
            file = folder / process["samples"]
            samples = load_samples(file).copy()
            samples["duration_ns"] = samples["duration_ns"] * (1 + process["index"] / 30)
            file.write_bytes(to_bytes(samples))
            process["samples_crc32"] = checksum(file.read_bytes())
        (folder / "record.json").write_text(json.dumps(record))


def test_cells_of_one_run_that_were_not_measured_in_turn_are_no_rounds(two_models, rows, edit):
    import json

    for hour, folder in enumerate(two_models.cells, 10):
        processes = json.loads((folder / "record.json").read_text())["processes"]
        moved = [{**p, "started_at": f"2026-11-21T{hour}:{p['index']:02d}:00Z"} for p in processes]
        edit(folder, processes=moved)
    assert rows("run:yolo-a", "run:yolo-b")[0]["order"] == "base first"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"accuracy": {"n_images": 50}}, "50 images of the base, 200 of the new"),
        ({"accuracy": {"annotations_sha256": "c" * 64}}, "different annotations"),
        ({"accuracy": {"annotations_sha256": "c" * 64, "dataset": "other"}}, r"other and shapes"),
    ],
)
def test_other_images_cost_the_mAP_and_no_latency(make_run, compared, edit, part, said):
    base, new = make_run("base"), make_run("new")
    edit(base.cell(median_ms=4.0), **part)
    new.cell(median_ms=8.0)
    found = compared("base", "new")
    (cell,) = found.comparisons
    assert cell.latency.decision == "slower"
    assert cell.accuracy.other_images and said in cell.accuracy.reason
    outcomes = [str(judge(found, [parse(text)]).outcome) for text in ("latency_median_ms > 5%", "map < -0.1")]
    assert outcomes == ["fail", "undecided"]


def test_a_limit_that_leaves_no_image_out_is_no_difference(make_run, compared, edit):
    base, new = make_run("base"), make_run("new")
    edit(base.cell(), settings={"limit": 500})
    edit(new.cell(), settings={"limit": None})
    (cell,) = compared("base", "new").comparisons
    assert not cell.accuracy.other_images


def test_runs_that_each_measured_both_are_paired_run_by_run(make_run, compared, rows, edit):
    """Each run has a level of its own, far larger than the change: paired, the change is seen."""
    for k, level in enumerate((4.0, 5.1, 4.4, 6.0, 3.7, 4.9)):
        run = make_run(f"runs/run-{k}")
        run.cell("a", median_ms=level, seed=k, spread=0.004)
        edit(run.cell("b", median_ms=level * 1.05, seed=k, spread=0.004), against="a")
    (row,) = rows(str(run.folder.parent))
    assert row["decision"] == "slower"
    assert row["difference_percent"] == pytest.approx(5, abs=0.5)


def test_every_view_says_that_rounds_are_compared(two_models, compared):
    from harness.comparison.junit import to_junit
    from harness.report.comparison_summary import to_markdown

    found = compared("run:yolo-a", "run:yolo-b")
    verdict = judge(found, [parse("latency_median_ms > 2%")])
    text = to_markdown(found, verdict, to_rows(found, verdict))
    assert "compared round by round" in text and "yolo-a → yolo-b" in text
    document = to_junit(found, verdict).decode()
    assert "compared round by round" in document and "(against yolo-a)" in document and "<failure" in document


def test_of_a_folder_only_what_was_measured_in_turn_is_compared(two_models, make_run, compared, edit):
    edit(two_models.cells[1], against="yolo-a")
    make_run("other").cell("yolo-a", "cpu:4")
    found = compared(str(two_models.folder.parent))
    assert [pair.name for pair in found.matching.pairs] == ["yolo-b on local, cpu:1 (against yolo-a)"]
    assert not found.matching.missing and not found.matching.added
