"""The outputs of the native tool against one CPU thread's of the same device."""

import subprocess
import sys
from dataclasses import replace

import pytest

from harness.errors import MeasurementError
from harness.tflite.model import describe


def ignore(done, total):
    """Progress that nobody looks at."""


@pytest.mark.parametrize(("how", "status"), [("works", "ok"), ("slightly", "ok"), ("badly", "incorrect")])
def test_outputs_of_an_accelerator_are_held_against_the_cpus(how, status, native, shapes, scratch):
    facts = native(gpu=how).time(shapes("gpu", n_images=2), 0, scratch).facts
    assert facts.status == status
    assert any("gives other detections than the CPU" in reason for reason in facts.reasons) == (
        status != "ok"
    )


def test_an_accelerator_with_wrong_outputs_has_no_accuracy(native, shapes, scratch):
    with pytest.raises(MeasurementError, match="other detections than the CPU") as caught:
        native(gpu="badly").infer(shapes("gpu"), scratch, ignore)
    assert caught.value.status == "incorrect"


def test_threads_that_lose_detections_are_incorrect(native, shapes, scratch, repository, tmp_path):
    """LiteRT's regular NMS on two threads, as in the worker's own check; with fast NMS two threads are right."""
    source, regular = repository / "models" / "shapes" / "shapes_float32.tflite", tmp_path / "regular.tflite"
    edit = [sys.executable, "-m", "harness", "edit", "nms", str(source), "--regular", "-o", str(regular)]
    subprocess.run(edit, check=True, capture_output=True)
    fast = shapes("cpu:2", n_images=4)
    assert native().time(fast, 0, scratch).facts.status == "ok"
    cell = replace(fast, model=replace(fast.model, file=regular), facts=describe(regular))
    facts = native().time(cell, 0, scratch).facts
    assert facts.status == "incorrect" and "other detections than one thread" in facts.reasons[0]


def test_a_real_external_library_that_computes_wrong_is_incorrect(native, shapes, scratch, delegate_library):
    cell = shapes(f"external:{delegate_library}")
    delegate = replace(cell.delegate, options=(*cell.delegate.options, ("option.wrong", "1")))
    facts = native().time(replace(cell, delegate=delegate), 0, scratch).facts
    assert facts.status == "incorrect" and "gives other detections than the CPU" in facts.reasons[0]


def test_a_flavour_that_cannot_be_fed_is_timed_and_says_that_its_outputs_were_not_checked(
    native, shapes, scratch
):
    engine = native(gpu="works")
    engine.tool.program = replace(engine.tool.program, flavour="litert")
    facts = engine.time(shapes("gpu"), 0, scratch).facts
    assert (facts.status, facts.delegate.actual) == ("fallback", "cpu"), (
        "the stand-in is of the other flavour"
    )
    unchecked = engine.check(shapes("gpu"), scratch)
    assert unchecked.wrong == () and "cannot be fed images" in unchecked.remark
    with pytest.raises(MeasurementError, match="accuracy needs the flavour tflite"):
        engine.infer(shapes("cpu"), scratch, ignore)
