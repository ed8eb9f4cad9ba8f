"""The public columns: their names, order, types, and what they are taken from."""

import numpy as np
import pytest

from harness.errors import UnknownNameError
from harness.records.records import load_records
from harness.rows import columns, frame

PUBLIC = tuple(
    """
run_id started_at model model_sha256 quantization size_bytes device device_kind delegate_requested delegate_actual
delegated_nodes total_nodes npu_taken npu_partitions threads runtime engine against status verdict reasons checks
n_samples watched_s latency_mean_ms latency_std_ms latency_median_ms latency_median_low_ms latency_median_high_ms
latency_p90_ms latency_p95_ms latency_p99_ms
latency_min_ms latency_max_ms fps init_ms first_inference_ms peak_memory_mb dataset n_images images_per_second
classes_evaluated classes_matched_by classes_in_dataset classes_unknown_to_model classes_not_in_dataset
map map_low map_high ap50 ap75 ap_small ap_medium ap_large ar1 ar10 ar100
ar_small ar_medium ar_large
    """.split()  # noqa: SIM905
)

TEXTS = {
    "run_id", "started_at", "model", "model_sha256", "quantization", "device", "device_kind", "delegate_requested",
    "delegate_actual", "runtime", "engine", "against", "status", "verdict", "dataset", "classes_matched_by",
}  # fmt: skip
WHOLE = {
    "size_bytes", "delegated_nodes", "total_nodes", "npu_taken", "npu_partitions", "threads", "n_samples", "n_images",
    "classes_evaluated", "classes_in_dataset",
}  # fmt: skip
LISTS = {"reasons", "checks", "classes_unknown_to_model", "classes_not_in_dataset"}
SPEED = [name for name in PUBLIC if name.endswith("_ms")] + [
    "n_samples",
    "watched_s",
    "fps",
    "peak_memory_mb",
]
FIGURES = PUBLIC[PUBLIC.index("map") :]


def only_row(run):
    (row,) = frame.to_rows(load_records(run.folder))
    return row


def test_names_and_order_are_the_public_ones():
    assert columns.NAMES == PUBLIC


@pytest.mark.parametrize("column", columns.COLUMNS, ids=lambda column: column.name)
def test_every_column_has_a_meaning_a_type_and_the_unit_of_its_name(column):
    expected = "string" if column.name in TEXTS else "Int64" if column.name in WHOLE else "Float64"
    assert column.dtype == ("object" if column.name in LISTS else expected)
    assert column.meaning
    assert column.meaning[-1] != "."
    for suffix, unit in (("_ms", "ms"), ("_bytes", "bytes"), ("_mb", "MB of 2^20 bytes")):
        assert column.name.endswith(suffix) == (column.unit == unit)


@pytest.mark.parametrize("column", columns.COLUMNS, ids=lambda column: column.name)
def test_every_column_takes_a_plain_value_of_its_type(column, make_run):
    run = make_run()
    run.cell()
    value = only_row(run)[column.name]
    kinds = {"string": str, "Int64": int, "Float64": float, "object": list}
    unknown = {"against", "npu_taken", "npu_partitions", "map_low", "map_high", "ap_small", "ar_small"}
    assert value is None if column.name in unknown else type(value) is kinds[column.dtype]


def test_values_are_those_of_the_record(make_run):
    run = make_run("the-run")
    folder = run.cell("ssd", "gpu:fp16", actual="gpu", median_ms=4.0, n_samples=100, n_processes=3)
    row = only_row(run)
    files = [np.load(folder / f"process-{k}.npy") for k in range(3)]
    steady = np.concatenate([samples["duration_ns"][samples["steady"]] for samples in files]) / 1e6
    assert (row["run_id"], row["model"], row["delegate_requested"]) == ("the-run", "ssd", "gpu:fp16")
    assert row["n_samples"] == steady.size == 300
    assert row["latency_max_ms"] == pytest.approx(steady.max())
    assert row["latency_mean_ms"] == pytest.approx(steady.mean())
    assert row["init_ms"] == pytest.approx(8.000001), "the median of the processes"
    assert row["peak_memory_mb"] == 42.0, "the largest of the processes"
    assert (row["map"], row["dataset"], row["n_images"]) == (0.8, "shapes", 200)


@pytest.mark.parametrize("status", ["fallback", "incorrect", "failed", "timeout", "skipped"])
def test_no_speed_is_claimed_for_a_delegate_that_did_not_run_rightly(make_run, status):
    run = make_run()
    run.cell(delegate="edgetpu", status=status)
    row = only_row(run)
    assert {row[name] for name in SPEED} == {None}
    assert (row["map"] is None) == (status == "fallback"), (
        "the accuracy of wrong outputs is a fact about them"
    )
    assert row["n_images"] == 200


def test_what_ran_instead_is_told_with_its_time(make_run):
    run = make_run()
    run.cell(
        delegate="edgetpu", actual="xnnpack", status="fallback", reasons=("no Edge TPU",), median_ms=12.0
    )
    first, second = only_row(run)["reasons"]
    assert first == "no Edge TPU"
    assert second.startswith("xnnpack ran instead of edgetpu: median 12.0 ms")


def test_latency_without_accuracy_and_accuracy_without_latency_leave_the_rest_unknown(make_run):
    run = make_run("a")
    run.cell(map_=None)
    row = only_row(run)
    assert {row[name] for name in [*FIGURES, "dataset", "n_images", "images_per_second"]} == {None}
    other = make_run("b")
    other.cell(median_ms=None)
    assert {only_row(other)[name] for name in SPEED} == {None}


def test_an_empty_text_is_unknown(make_run):
    run = make_run()
    run.cell(runtime="")
    assert only_row(run)["runtime"] is None


def test_an_unknown_column_names_what_is_near():
    with pytest.raises(UnknownNameError, match="Did you mean latency_p90_ms"):
        columns.check_names(["model", "latency_p90"])


def test_the_readme_of_results_explains_every_column(repository):
    lines = (repository / "results" / "README.md").read_text(encoding="utf-8").splitlines()
    found = [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line.startswith("| `")
    ]
    expected = [(f"`{column.name}`", column.dtype, column.unit, column.meaning) for column in columns.COLUMNS]
    assert found == expected
