"""What to ship on a target: the rule, the counts, and modes that keep their word."""

from collections import Counter
from dataclasses import replace

import pytest

from harness.errors import ModelError, UsageError
from harness.quantization import engine, workflow
from harness.quantization.modes import find_mode
from harness.quantization.representative import find_representative
from harness.quantization.target import choose, find_target, quantize_for
from harness.tflite.model import describe
from harness.tflite.reader import read_graph


def row(model, size, map_, latency=None, taken=54, partitions=1, emulated=None):
    """A row of the table, as far as the rule looks."""
    return {
        "model": model,
        "size_bytes": size,
        "map": map_,
        "emulated_map": emulated,
        "latency_median_ms": latency,
        "taken": taken,
        "operators": 55,
        "partitions": partitions,
        "ship": False,
    }


def test_on_the_cpu_the_smallest_of_the_fast_ones_is_shipped():
    rows = [
        row("float", 400, 0.60, 10.0),
        row("dynamic", 180, 0.599, 10.4),
        row("int8", 200, 0.595, 9.9),
        row("slow", 100, 0.60, 20.0),
        row("worse", 90, 0.50, 5.0),
    ]
    chosen, why = choose(rows, find_target("xnnpack"))
    assert chosen["model"] == "dynamic" and chosen["ship"] and [r["ship"] for r in rows].count(True) == 1
    assert "within 10% of the fastest" in why and "of 4 that lose at most 0.01" in why


def test_elsewhere_the_one_of_which_most_is_taken_in_the_fewest_parts():
    rows = [
        row("float", 400, 0.60, 10.0, taken=54),
        row("weight-only", 100, 0.60, 10.0, taken=0, partitions=0),
        row("dynamic", 180, 0.60, 4.0, taken=37, partitions=18),
        row("int8", 200, 0.60, 9.0, taken=54, emulated=0.596),
        {**row("float16", 210, 0.60, 9.0, taken=93), "operators": 94},
        row("emulated-worse", 100, 0.60, 9.0, taken=55, emulated=0.5),
    ]
    assert choose(rows, find_target("qualcomm-sm8650"))[0]["model"] == "int8"


def test_what_the_target_refuses_whole_is_not_counted_and_of_one_size_the_more_accurate_is_shipped():
    rows = [
        row("float", 400, 0.62, emulated=0.62),
        row("weight-only", 170, 0.62, taken=0, partitions=0),
        row("int8-mse", 195, 0.62, emulated=0.617),
        row("int8", 195, 0.62, emulated=0.619),
    ]
    chosen, why = choose(rows, find_target("qualcomm-sm8650"))
    assert chosen["model"] == "int8" and "of 3 that lose at most 0.01" in why


def test_what_was_not_emulated_is_held_against_the_float_model_on_the_same_processor():
    rows = [
        row("float", 400, 0.60, emulated=0.55),
        row("int16x8", 210, 0.56, taken=55),
        row("int8", 200, 0.60, emulated=0.545),
    ]
    chosen, why = choose(rows, find_target("qualcomm-sm8650"))
    assert chosen["model"] == "int8" and "of 2 that lose at most 0.01" in why


def test_without_a_figure_of_the_float_model_nothing_is_named():
    chosen, why = choose([row("float", 400, None), row("int8", 200, 0.6)], find_target("gpu"))
    assert chosen is None and "has no mAP here" in why


def test_targets_are_found_by_name():
    assert find_target("qualcomm-sm8350").soc == "SM8350" and find_target("gpu").soc is None
    for name in ("qualcomm-", "tpu", ""):
        with pytest.raises(UsageError, match="expected xnnpack, gpu or qualcomm-SOC"):
            find_target(name)


def test_targets_are_compared_by_map_alone(shapes):
    with pytest.raises(UsageError, match="--for compares by mAP"):
        quantize_for(workflow.Job(shapes), find_target("gpu"), None, None)


def test_dynamic_leaves_depthwise_convolutions_in_float(shapes):
    made = engine.quantize_bytes(shapes.file.read_bytes(), find_mode("dynamic"))
    graph = read_graph(made, shapes.file).primary
    stored = Counter((o.name, graph.tensors[o.inputs[1]].dtype) for o in graph.operators if "CONV" in o.name)
    assert stored == {("CONV_2D", "int8"): 20, ("DEPTHWISE_CONV_2D", "float32"): 19}


@pytest.mark.parametrize(("mode", "calibration"), [("int16x8", "minmax"), ("int8", "mse")])
def test_modes_and_calibrations_make_what_they_say(shapes, training_images, tmp_path, mode, calibration):
    few = find_representative(training_images)
    job = workflow.Job(
        shapes,
        find_mode(mode),
        replace(few, files=few.files[:8]),
        output=tmp_path / "q.tflite",
        calibration=calibration,
        force=True,
    )
    data, _ = workflow.make(job, job.mode, _Silent())
    job.output.write_bytes(data)
    assert describe(job.output).quantization == find_mode(mode).makes
    graph = read_graph(data, job.output).primary
    dtypes = Counter(graph.tensors[o.outputs[0]].dtype for o in graph.operators if o.name == "CONV_2D")
    assert dtypes == {{"int16x8": "int16", "int8": "int8"}[mode]: 20}


class _Silent:
    """Is told how far the work is, and says nothing."""

    def update(self, done, total, text):
        """A step goes on."""


def test_a_scale_of_the_least_error_is_for_calibrated_modes(shapes, tmp_path):
    job = workflow.Job(shapes, find_mode("float16"), output=tmp_path / "q.tflite", calibration="mse")
    with pytest.raises(UsageError, match="--calibration mse is for int8 and int16x8"):
        workflow.quantize(job, _Silent(), None)


def test_a_recipe_that_changed_nothing_is_an_error(shapes):
    graph = read_graph(shapes.file.read_bytes(), shapes.file)
    with pytest.raises(ModelError, match="dynamic changed nothing"):
        workflow.refuse_unchanged(find_mode("dynamic"), graph, graph, shapes.file)


@pytest.mark.slow
def test_every_mode_is_held_against_the_target_and_one_is_written(
    shapes, training_images, repository, tmp_path
):
    from harness.accuracy.dataset import find_dataset
    from harness.bench.observer import Silent

    path = repository / "models" / "shapes" / "dataset"
    few = find_representative(training_images)
    job = workflow.Job(
        shapes,
        representative=replace(few, files=few.files[:20]),
        dataset=find_dataset(path, 12),
        dataset_path=path,
        output=tmp_path / "ship.tflite",
        limit=12,
        force=True,
    )
    report = quantize_for(job, find_target("gpu"), _Silent(), Silent())
    by_name = {row["model"]: row for row in report.rows}
    assert set(by_name) == {"float", "dynamic", "float16", "weight-only", "int8", "int8-mse", "int16x8"}
    assert (by_name["float"]["taken"], by_name["float"]["operators"]) == (54, 55)
    assert all(row["map"] is not None for row in report.rows)
    shipped = [row for row in report.rows if row["ship"]]
    assert len(shipped) == 1 and job.output.is_file()
    assert "says nothing of gpu" in report.remarks[-1]
