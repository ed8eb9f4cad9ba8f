"""Every real log of the evaluation tools, with its meaning written down by reading it."""

import pytest

from harness.drivers.benchmark_tool.eval_tool import EvalDetection, Latency, parse_eval

XNNPACK_ZEROS = dict.fromkeys((0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95), 0.0)
SYNTH = {
    **{0.5: 0.271518, 0.55: 0.203391, 0.6: 0.124898, 0.65: 0.0607835, 0.7: 0.0205605},
    **{0.75: 0.00377508, 0.8: 0.00102901, 0.85: 7.05964e-05, 0.9: 0.0, 0.95: 0.0},
}
NO_TRUTH = ("mAP metrics are meaningless w/o ground truth.",)

COCO = {
    # log: preprocessing in µs, (inference in µs, deviation), the tool's own precision, its own mAP, warnings
    "eval_coco_delegate_gpu": (2754.86, (4225.6, 335), {}, 0.0, NO_TRUTH),
    "eval_coco_gt_missing": (2427.48, (0.18, 0), XNNPACK_ZEROS, 0.0, ()),
    "eval_coco_hand_realgt": (2752.78, (4142.06, 36), XNNPACK_ZEROS, 0.0, ()),
    "eval_coco_no_gt": (2786.02, (4230.32, 197), {}, 0.0, NO_TRUTH),
    "eval_coco_synth": (2388.36, (0.26, 0), SYNTH, 0.0686025, ()),
}
DIFF = {
    # log: runs, (reference in µs, deviation), (test in µs, deviation), (mean error, deviation)
    "eval_diff_gpu": (3, (352.667, 28), (357.0, 25), (0.0, 0.0)),
    "eval_diff_nnapi": (3, (350.889, 33), (356.778, 34), (0.0, 0.0)),
    "eval_diff_none": (10, (3902.17, 94), (3955.57, 196), (0.0, 0.0)),
    "eval_diff_threads2": (10, (4006.33, 388), (2715.0, 1167), (0.0, 0.0)),
    "eval_diff_use_xnnpack_false": (10, (253.867, 19), (8105.0, 322), (0.0113886, 0.00563706)),
    "eval_diff_use_xnnpack_false_float": (10, (359.5, 25), (2363.33, 625), (1.75438e-08, 3.64897e-09)),
    "eval_diff_xnnpack": (10, (3894.67, 95), (4030.23, 455), (0.0, 0.0)),
    "eval_diff_xnnpack_float": (10, (347.0, 29), (619.467, 17), (0.000349655, 1.13299e-05)),
}
FAILED = {
    # log: what the reason says
    "eval_coco_help": "Could not run the task evaluation!",
    "eval_coco_images_missing": "Could not run the task evaluation!",
    "eval_coco_labels_missing": "Could not read model output labels file",
    "eval_coco_model_missing": "Model file not found",
    "eval_coco_noargs": "Could not run the task evaluation!",
    "eval_coco_png": "Extension .png is not supported",
    "eval_coco_wrong_model": "Object detection model must have 1 input & 4 outputs",
    "eval_diff_bad_delegate": "Could not run the task evaluation!",
    "eval_diff_help": "Model file not found",
    "eval_diff_missing_model": "Model file not found",
    "eval_diff_noargs": "Model file not found",
    "eval_diff_unsupported_type": "InferenceProfilerStage only supports",
    "eval_imagenet_help": "Could not run the task evaluation!",
}
OTHERS = {"eval_coco_synth_debug", "eval_coco_synth.pycocotools"}


def latency(mean_us, std_us):
    return Latency(round(mean_us * 1000), round(std_us * 1000))


def parsed(log):
    return parse_eval(log.stdout, log.stderr, log.exit_code)


def test_the_collection_has_every_log_that_is_asserted(shared_data):
    """Further logs may lie there: who reads them adds them to the tables."""
    there = {path.stem for path in (shared_data / "eval_tool_logs").iterdir()}
    assert there >= {*COCO, *DIFF, *FAILED, *OTHERS}


@pytest.mark.parametrize("name", COCO)
def test_a_run_over_images_gives_latencies_and_its_own_precision(name, eval_log):
    preprocessing, inference, precision, own_map, warnings = COCO[name]
    output = parsed(eval_log(name))
    assert (output.status, output.n_runs, output.own_map) == ("ok", 50, own_map)
    assert output.latencies == {"Preprocessing": latency(preprocessing, 0), "Inference": latency(*inference)}
    assert output.own_precision == precision
    assert output.warnings == warnings


@pytest.mark.parametrize("name", DIFF)
def test_a_comparison_gives_both_latencies_and_the_error(name, eval_log):
    n_runs, reference, test, difference = DIFF[name]
    output = parsed(eval_log(name))
    assert (output.status, output.n_runs) == ("ok", n_runs)
    assert output.latencies == {"Reference run": latency(*reference), "Test run": latency(*test)}
    assert output.differences == (difference,)


@pytest.mark.parametrize("name", FAILED)
def test_a_run_that_failed_says_why(name, eval_log):
    output = parsed(eval_log(name))
    assert (output.status, output.exit_code, output.latencies) == ("failed", 1, {})
    assert FAILED[name] in output.reasons[0]
    assert output.reasons[0].startswith("the evaluation tool ended with exit code 1")


def test_an_unknown_delegate_is_warned_of(eval_log):
    assert parsed(eval_log("eval_diff_bad_delegate")).warnings == ("Unsupported TFLite delegate: foo",)


def test_the_detections_of_every_image_are_read(eval_log):
    output = parsed(eval_log("eval_coco_synth_debug"))
    assert (output.status, output.n_runs, output.own_map) == ("ok", 50, 0.0686025)
    assert output.own_precision == SYNTH
    assert len(output.images) == 50
    assert all(len(image.detections) == 10 and image.whole for image in output.images)
    assert [image.name for image in output.images[:2]] == ["000000006818.jpg", "000000017627.jpg"]
    first, last = output.images[0].detections[0], output.images[0].detections[9]
    assert first == EvalDetection(0.95, 1, 0.161916, 0.507197, 0.0754246, 0.247155)
    assert last == EvalDetection(0.32, 2, 0.3402, 0.584444, 0.213796, 0.539465)


def test_a_log_of_pycocotools_is_no_result(shared_data):
    text = (shared_data / "eval_tool_logs" / "eval_coco_synth.pycocotools.txt").read_text("utf-8")
    output = parse_eval(text, "", 0)
    assert (output.status, output.images, output.own_precision) == ("failed", (), {})


def test_boxes_outside_the_image_keep_their_sign():
    rows = (
        "Score: 0.5",
        "Class-ID: 3",
        "Bounding Box:",
        "Normalized Top: -0.0123",
        "Normalized Bottom: 1.02",
    )
    rows = (*rows, "Normalized Left: -1e-05", "Normalized Right: 0.5")
    text = "\n".join(["INFO: Image: a.jpg", "INFO: Object [0]", *(f"INFO:   {row}" for row in rows)])
    image = parse_eval(f"{text}\nINFO: ======\n", "", 0).images[0]
    assert image.detections == (EvalDetection(0.5, 3, -0.0123, 1.02, -1e-05, 0.5),)


def test_an_image_cut_off_in_the_middle_is_not_whole(eval_log):
    lines = eval_log("eval_coco_synth_debug").stdout.splitlines()
    for n_lines in range(len(lines)):
        images = parse_eval("\n".join(lines[:n_lines]), "", None).images
        assert all(len(image.detections) == 10 for image in images if image.whole)
        assert all(image.whole for image in images[:-1])
        if n_lines > 400:
            break
