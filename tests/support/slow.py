"""Which tests are slow, and in which order processes that share the tests take files.

`pytest -m "not slow"` leaves these out: tests that wait for devices which hang, hosts that die and networks that are
cut, that quantize and diagnose models, or run the whole command again and again. A file or test that takes more than a
few seconds finds its line here.
"""

from functools import cache
from pathlib import Path

from tests.support.paths import REPOSITORY

FILES = (
    # the longest first: what is long and begun last is waited for alone
    "farm/test_losses.py",
    "farm/test_losses_of_links.py",
    "drivers/benchmark_tool/test_runs_on_adbd.py",
    "drivers/adb/test_deadlines.py",
    "diagnosis/test_fault_library.py",
    "bench/engines/test_board_worker.py",
    "drivers/adb/test_device.py",
    "drivers/adb/test_device_losses.py",
    "cli/test_run_ends.py",
    "drivers/ssh/test_device.py",
    "quantization/test_workflow.py",
    "drivers/adb/test_native_worker.py",
    "bench/engines/native/test_engine.py",
    "drivers/benchmark_tool/test_comes_back.py",
    "farm/test_run.py",
    "farm/test_conformance.py",
    "diagnosis/causes/test_findings.py",
    "diagnosis/causes/test_single_model.py",
    "drivers/test_orphans.py",
    "drivers/benchmark_tool/test_on_adbd.py",
    "bench/engines/test_delegate_library.py",
    "bench/engines/test_edgetpu.py",
    "bench/engines/native/test_check.py",
    "farm/test_commands.py",
    "diagnosis/test_attempt.py",
    "drivers/ssh/test_deadlines.py",
    "gpu/test_local_gpu.py",
    "gpu/test_native_worker.py",
    "gpu/test_native_npu.py",
    "bench/engines/test_conformance.py",
    "bench/test_preparations.py",
    "diagnosis/loss/test_attribution.py",
    "bench/engines/native/test_batches.py",
    "bench/engines/test_choose.py",
    "farm/test_security.py",
    "farm/test_greeting.py",
    "edit/test_fuzz.py",
    "test_attack.py",
    "cli/test_streams.py",
    "accuracy/test_doubts.py",
    "recognize/test_probe.py",
    "recognize/test_real_detectors.py",
    "bench/engines/native/test_tool.py",
    "drivers/benchmark_tool/test_damaged_logs.py",
    "drivers/benchmark_tool/test_published_plans.py",
    "recognize/test_conformance.py",
    "bench/test_odd_models.py",
    "report/html/test_diagnosis.py",
    "quantization/test_keep_float.py",
)
TESTS = {
    # file: tests of it that are slow while the others are not
    "golden/test_what_users_get.py": ("test_a_command_gives_what_it_gave_before[run-against]",),
    "native/test_build.py": (
        "test_the_same_source_gives_the_same_bytes_from_another_folder_and_an_empty_cache",
        "test_a_source_that_does_not_compile_is_an_error_with_the_compilers_words",
    ),
    "accuracy/test_bootstrap.py": (
        "test_the_paired_interval_covers_the_true_difference_and_is_narrower",
        "test_the_interval_covers_the_truth_as_often_as_it_says",
        "test_p_is_small_where_the_models_differ_and_rarely_where_they_do_not",
    ),
    "accuracy/test_coco.py": ("test_all_engines_equal_pycocotools_on_any_small_data_set",),
    "api/test_examples.py": ("test_the_example_of_a_public_function_runs",),
    "bench/test_classes_by_name.py": (
        "test_numbers_without_names_give_the_same_map_or_say_that_they_are_doubtful",
        "test_every_form_of_a_data_set_gives_the_same_map_or_a_refusal",
    ),
    "bench/test_nms_axis.py": ("test_a_run_measures_each_combination_and_its_record_keeps_the_settings",),
    "bench/test_run.py": ("test_accuracy_of_the_bundled_example_equals_a_plain_loop_with_pycocotools",),
    "bench/test_review.py": ("test_kernels_that_round_differently_raise_no_doubt",),
    "cli/test_diagnose.py": (
        "test_pictures_show_both_sides_and_are_never_replaced",
        "test_the_table_fits_100_columns_and_has_its_sections",
        "test_json_is_one_object_with_the_keys_of_the_contract",
    ),
    "cli/test_run.py": (
        "test_a_bare_model_gets_a_card_that_is_shown",
        "test_an_unreadable_image_among_good_ones_is_counted_and_the_run_goes_on",
        "test_ctrl_c_keeps_the_records_exits_130_and_prints_the_resume_command",
        "test_more_than_a_twentieth_unreadable_is_no_accuracy_of_the_data",
        "test_a_run_that_was_killed_is_resumed_and_every_cell_is_there_once",
        "test_report_shows_a_stored_run_again",
        "test_the_figures_are_those_of_the_images_that_could_be_read",
    ),
    "diagnosis/test_classes.py": ("test_renumbered_categories_give_the_same_figures",),
    "diagnosis/causes/test_same_loss.py": ("test_one_fault_is_one_claim",),
    "drivers/test_conformance.py": ("test_a_command_that_takes_too_long_is_killed_with_all_its_children",),
    "edit/test_files.py": (
        "test_on_coco_a_cut_model_with_host_nms_and_a_re_attached_one_give_the_same_detections",
        "test_cut_then_attach_gives_the_detections_of_the_original",
    ),
    "edit/test_nms.py": ("test_damaged_bytes_give_our_error_or_a_model",),
    "example_training/test_draw.py": ("test_the_stored_annotations_are_exactly_what_the_code_draws",),
    "example_training/test_models.py": ("test_each_map_is_the_one_its_card_publishes",),
    "quantization/test_measure.py": ("test_the_same_file_twice_has_the_same_map_which_is_the_published_one",),
    "quantization/test_prune.py": ("test_the_command_measures_before_and_after_with_the_public_columns",),
    "quantization/test_resize.py": ("test_the_command_writes_one_file_a_size_and_a_row_each",),
    "test_session.py": ("test_a_run_can_be_resumed_from_its_folder_alone",),
}
ROOT = REPOSITORY / "tests"


def is_slow(path: Path, test: str) -> bool:
    """Whether a test of a file is slow: all cases of it, or the one that is named."""
    name = _name(path)
    return name in FILES or not {test, test.partition("[")[0]}.isdisjoint(TESTS.get(name, ()))


def place(path: Path) -> int:
    """Return where a file stands in the order of those who share the tests."""
    name = _name(path)
    return FILES.index(name) if name in FILES else len(FILES)


@cache
def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
