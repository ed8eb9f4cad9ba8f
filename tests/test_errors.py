"""The one tree of errors."""

import inspect
import pickle
import re

import pytest

from harness import errors
from harness.errors import (
    DeviceError,
    DeviceLostError,
    DeviceTimeoutError,
    HarnessError,
    IncomparableError,
    JobError,
    MeasurementError,
    MissingExtraError,
    UnknownNameError,
    UsageError,
    near_misses,
)

CLASSES = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, HarnessError)]


def drawn_tree() -> dict[str, str | None]:
    """Read each class and its parent from the drawing in the module's docstring."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"(?P<indent>[ │├└─]*)(?P<name>[A-Z]\w*Error)\b", line)
        if found:
            depth = (len(found["indent"]) - 4) // 4
            parents[found["name"]] = path[depth - 1] if depth else None
            path[depth:] = [found["name"]]
    return parents


def test_the_tree_drawn_in_the_docstring_is_the_tree_of_classes() -> None:
    real = {kind.__name__: kind.__mro__[1].__name__ for kind in CLASSES}
    assert drawn_tree() == {**real, "HarnessError": None}


def test_wrong_use_ends_with_2_and_a_failed_job_with_1() -> None:
    for kind in CLASSES:
        expected = 2 if issubclass(kind, UsageError) else 1
        assert kind.exit_status == expected, kind


def test_every_error_but_the_base_is_wrong_use_or_a_failed_job() -> None:
    assert all(kind is HarnessError or issubclass(kind, (UsageError, JobError)) for kind in CLASSES)


@pytest.mark.parametrize(
    "error",
    [
        UnknownNameError("model", "sdd", ["ssd", "yolo"], hint="Look it up."),
        IncomparableError("threads", 1, 4),
        MissingExtraError("conversion", "convert"),
        DeviceError("pixel", "it failed", ["ls"], 3, "out", "bad thing"),
        DeviceLostError("pixel", "it went away"),
        DeviceTimeoutError("pixel", "no answer", argv=("sleep", "9")),
        MeasurementError("took too long", status="timeout"),
        errors.FetchError("plain"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_back_whole_from_another_process(error: HarnessError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_an_unknown_name_is_answered_with_near_misses() -> None:
    error = UnknownNameError("model", "mobildet-cpu", ["mobiledet-cpu", "yolov5n"])
    assert str(error) == "unknown model 'mobildet-cpu'. Did you mean mobiledet-cpu?"


def test_an_unknown_name_far_from_all_is_answered_with_a_short_list() -> None:
    assert str(UnknownNameError("delegate", "zzz", ["gpu", "cpu"])).endswith("Known: cpu, gpu.")


def test_a_long_list_of_names_is_not_recited() -> None:
    names = [f"model-{index}" for index in range(13)]
    assert str(UnknownNameError("model", "zzz", names, hint="Use a path.")) == (
        "unknown model 'zzz'. Use a path."
    )


def test_near_misses_ignore_case_and_keep_the_real_spelling() -> None:
    assert near_misses("PIXEL-8", ["Pixel-8", "local"]) == ["Pixel-8"]


def test_a_device_error_names_the_device_first_and_ends_with_its_last_words() -> None:
    error = DeviceError("pixel-8", "push failed", stderr="one\ntwo\nthree\nNo space left on device\n")
    assert str(error) == "pixel-8: push failed: two; three; No space left on device"


def test_incomparable_records_are_told_apart_by_key_and_both_values() -> None:
    assert str(IncomparableError("threads", 1, 4)) == (
        "these records cannot be put together: threads is 1 in one and 4 in the other"
    )


def test_a_missing_extra_says_what_to_install() -> None:
    assert " -m pip install -e " in str(MissingExtraError("ssh devices", "ssh"))
