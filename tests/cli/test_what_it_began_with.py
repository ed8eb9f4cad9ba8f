"""What people did by hand with TFLite detectors, row by row: the command that does it, and the test that runs that.

The rows come from the MobileDet benchmark post, the comparison of post-training and quantization-aware training on
Coral, and MLPerf's SSD packages. Each command is held against the command line here, and each test against the tests
there are; the tests that are named run it with real parts (those of TensorFlow in an environment of their own).
"""

import importlib
import re
import shlex

import pytest
import rich_click as click

from harness.cli.main import COMMANDS

ROWS = (
    # what was done by hand | the command | the test that runs it
    (
        "MobileDet CPU: weights of 8 bits from tflite_graph.pb",
        "convert mobiledet-cpu --mode dynamic",
        "conversion/test_convert.py::test_a_float_graph_with_postprocess_becomes_a_float_model",
    ),
    (
        "MobileDet CPU: float16 weights",
        "convert mobiledet-cpu --mode float16",
        "conversion/test_convert.py::test_a_float_graph_with_postprocess_becomes_a_float_model",
    ),
    (
        "MobileDet CPU: full integer, calibrated by images",
        "convert mobiledet-cpu --mode int8 --representative train/",
        "conversion/test_convert.py::test_a_float_graph_is_calibrated_by_images",
    ),
    (
        "MobileDet EdgeTPU, DSP: trained ranges, uint8, stats of the images",
        "convert mobiledet-dsp --mode qat-uint8 --stats 128,128",
        "conversion/test_convert.py::test_a_trained_graph_becomes_qat_uint8_with_the_scale_of_the_stats",
    ),
    (
        "stats that are not the graph's are found before minutes are spent",
        "convert graph.pb --mode qat-uint8 --stats 0,255",
        "conversion/test_convert.py::test_stats_that_are_not_the_graphs_own_are_refused_with_those_that_are",
    ),
    (
        "training was configured, but its delay never passed",
        "convert graph.pb --mode qat-uint8",
        "conversion/test_convert.py::test_a_float_graph_is_no_trained_one",
    ),
    (
        "integer results of the post-processing cannot be",
        "convert graph.pb --mode qat-uint8 --output-type uint8",
        "conversion/test_routes.py::test_integer_results_of_postprocess_are_refused_with_the_converters_own_words",
    ),
    (
        "asymmetric weights of a trained SavedModel do not run",
        "convert saved_model/ --mode qat-uint8",
        "conversion/test_convert.py::test_weights_that_were_trained_asymmetric_are_refused_with_the_next_step",
    ),
    (
        "a SavedModel, a Keras file",
        "convert saved_model/ --mode float16 --size 320x320",
        "conversion/test_convert.py::test_a_saved_model_of_open_size_needs_one_and_takes_it",
    ),
    (
        "which nodes are the graph's input and outputs",
        "inspect tflite_graph.pb",
        "conversion/test_graph_def.py::test_nodes_and_ends_are_listed",
    ),
    (
        "the .tflite and the graph of one archive",
        "models fetch mobiledet-cpu",
        "cli/test_models.py::test_other_members_of_the_archive_come_with_one_download",
    ),
    (
        "every mode from one card",
        "convert mobiledet-cpu --mode dynamic",
        "conversion/test_request.py::test_the_graph_beside_a_cards_tflite_is_converted_in_every_mode",
    ),
    (
        "MLPerf: frozen_inference_graph.pb with and without post-processing",
        "convert ssd-mobilenet-v1-mlperf",
        "conversion/test_detection_graph.py::test_one_command_gives_the_detections_that_the_graph_gives",
    ),
    (
        "MLPerf: the raw heads, their anchors and a card",
        "convert ssd-mobilenet-v1-mlperf",
        "conversion/test_detection_graph.py::test_the_raw_heads_lie_beside_it_with_anchors_and_a_card",
    ),
    (
        "MLPerf: the cut Preprocessor/sub to concat, concat_1",
        "convert frozen_inference_graph.pb --input Preprocessor/sub --outputs concat,concat_1",
        "conversion/test_detection_graph.py::test_a_cut_of_the_users_own_is_taken",
    ),
    (
        "MLPerf: regular and fast NMS, thresholds",
        "run ssd.tflite --nms regular --nms fast --score-threshold 0.3",
        "edit/test_nms.py::test_the_interpreter_obeys",
    ),
    (
        "MLPerf: other settings of a finished file",
        "edit nms ssd.tflite --regular --max-detections 100 -o out.tflite",
        "edit/test_files.py::test_new_nms_options_are_in_the_file_and_nothing_else_changes",
    ),
    (
        "post-processing on the host, and back into the file",
        "edit cut ssd.tflite -o raw.tflite",
        "edit/test_files.py::test_cut_then_attach_gives_the_detections_of_the_original",
    ),
    (
        "MLPerf's published figures beside one's own",
        "report latest --with-published",
        "rows/test_published.py::test_the_figures_are_those_that_were_published",
    ),
    (
        "the input size against latency and mAP: an SSD",
        "resize tflite_graph.pb --sizes 192,224,320 --dataset coco/",
        "conversion/test_other_size.py::test_the_command_measures_an_ssd_by_its_graph",
    ),
    (
        "the input size: a network without anchors",
        "resize net.tflite --sizes 192,224,320",
        "quantization/test_resize.py::test_the_command_writes_one_file_a_size_and_a_row_each",
    ),
    (
        "the post's table on its phones",
        "run results/published/plans/mobiledet-pixel-4.toml --dry-run",
        "bench/test_outline.py::test_every_published_plan_can_be_looked_at_where_nothing_of_it_is_there",
    ),
    (
        "post-training and trained models on Coral",
        "run results/published/plans/coral-dev-board.toml --dry-run",
        "bench/test_outline.py::test_what_convert_makes_of_a_card_is_compiled_to_the_file_that_the_card_means",
    ),
)


def names(rows):
    return [row[0] for row in rows]


def found_command(words):
    """Return the command that is meant, and the words behind its name."""
    command, rest = importlib.import_module(COMMANDS[words[0]].module).command, words[1:]
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


@pytest.mark.parametrize(("what", "command", "test"), ROWS, ids=names(ROWS))
def test_each_row_has_a_command_that_takes_these_options(what, command, test):
    found, rest = found_command(shlex.split(command))
    known = {name for param in found.params for name in (*param.opts, *param.secondary_opts)}
    options = [word for word in rest if re.match(r"--?[a-z]", word)]
    assert set(options) <= known


@pytest.mark.parametrize(("what", "command", "test"), ROWS, ids=names(ROWS))
def test_each_row_has_a_test_that_runs_it(what, command, test, repository):
    file, name = test.split("::")
    assert f"def {name}(" in (repository / "tests" / file).read_text(encoding="utf-8")


def test_the_cards_and_plans_that_rows_name_are_there(repository):
    for _what, command, _test in ROWS:
        for word in shlex.split(command):
            if word.startswith("results/"):
                assert (repository / word).is_file()
            elif re.match(r"(mobiledet|ssd-mobilenet)-", word):
                assert (repository / "models" / f"{word}.toml").is_file()
