"""Which tests are fast: rooms of pure logic, whose tests start next to no process and need no device and no big model.

`pytest -m fast` takes less than a minute. A test that is new in a room of `ROOMS` is fast, too; where a file grows slow
(many drawn examples, many inferences), it finds its line in `SLOW`.
"""

from functools import cache
from pathlib import Path

from tests.support.paths import REPOSITORY

ROOMS = (
    # folders and files below tests/
    "accuracy",
    "bench/test_cell_record.py",
    "bench/test_cells.py",
    "bench/test_perform.py",
    "bench/test_plan_file.py",
    "bench/test_request.py",
    "cli/test_devices.py",
    "cli/test_models.py",
    "cli/test_options.py",
    "cli/test_printing.py",
    "cli/test_progress.py",
    "cli/test_report.py",
    "comparison",
    "conversion/test_request.py",
    "conversion/test_routes.py",
    "detectors",
    "diagnosis/causes/test_confidence.py",
    "diagnosis/loss/test_loss.py",
    "diagnosis/loss/test_mixing.py",
    "diagnosis/loss/test_shapley.py",
    "drivers/benchmark_tool/test_binaries.py",
    "drivers/benchmark_tool/test_eval_tool.py",
    "drivers/benchmark_tool/test_flags.py",
    "drivers/benchmark_tool/test_logs.py",
    "drivers/benchmark_tool/test_wordings.py",
    "drivers/test_content.py",
    "drivers/test_device_python.py",
    "drivers/test_fake.py",
    "drivers/test_linux_facts.py",
    "drivers/test_names.py",
    "edit/test_card_settings.py",
    "quantization/test_stats.py",
    "records",
    "report",
    "rows",
    "statistics",
    "test_archive.py",
    "test_atomic.py",
    "test_cards.py",
    "test_contributing.py",
    "test_delegates.py",
    "test_errors.py",
    "test_firmware.py",
    "test_hashing.py",
    "test_layout.py",
    "test_option.py",
    "test_package.py",
    "test_privacy.py",
    "test_profiles.py",
    "test_schema.py",
    "test_settings.py",
    "test_text.py",
    "test_units.py",
    "test_workspace.py",
    "tflite",
    "worker/test_agreement.py",
    "worker/test_evidence.py",
    "worker/test_telemetry.py",
)
SLOW = (
    # what is not fast in them, and why
    "accuracy/test_bootstrap.py",  # data sets drawn again and again
    "accuracy/test_breakdown.py",  # pycocotools on many drawn data sets
    "accuracy/test_cases.py",  # a model over every case
    "accuracy/test_classes.py",  # many drawn data sets
    "accuracy/test_coco.py",  # pycocotools on many drawn data sets
    "accuracy/test_doubts.py",  # models over a data set
    "accuracy/test_matches.py",  # pycocotools on many drawn data sets
    "accuracy/test_worst.py",  # pictures are drawn
    "comparison/test_accuracy.py",  # intervals of mAP
    "comparison/test_gate.py",  # errors of both kinds, counted
    "detectors/test_nms.py",  # the operator itself on many drawn heads
    "report/test_console.py",  # many whole tables
    "report/html/test_diagnosis.py",  # a whole diagnosis
    "report/test_export.py",  # every format for drawn rows
    "statistics/test_comparing.py",  # errors of both kinds, counted
    "statistics/test_coverage.py",  # intervals, counted
    "statistics/test_latency.py",  # many drawn samples
    "statistics/test_mlperf.py",  # errors, counted
    "statistics/test_steady.py",  # traces by the hundred
    "tflite/inspect",  # every model at hand, run
    "tflite/support/test_predict.py",  # models are run
    "tflite/test_model.py",  # models are run
    "tflite/test_quantization.py",  # models are quantized
    "tflite/test_reader.py",  # damaged files by the hundred
    "tflite/test_runnable.py",  # models are run
    "tflite/test_schema.py",  # everything with two packages
)
TESTS = REPOSITORY / "tests"


@cache
def is_fast(path: Path) -> bool:
    """Whether the tests of a file are fast; asked for each test of the file."""
    return _is_below(path, ROOMS) and not _is_below(path, SLOW)


def leads_to_fast(path: Path) -> bool:
    """Whether a file is fast or a folder holds some that are."""
    return is_fast(path) or any((TESTS / room).is_relative_to(path) for room in ROOMS)


def _is_below(path: Path, names: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(TESTS / name) for name in names)
