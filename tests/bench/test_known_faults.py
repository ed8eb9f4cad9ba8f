"""What is known beforehand of a runtime or a file, as the status of a cell: local, board and phone."""

from types import SimpleNamespace

import pytest

from harness.bench.known_faults import known_reasons, with_known_faults
from harness.delegates import parse_delegate
from harness.edit.nms import NmsChange
from harness.edit.shapes import change_nms
from harness.session import carry_out
from harness.tflite.model import describe
from tests.support.faults.models import with_integer_outputs
from tests.support.layouts import ROWS, Layout
from tests.support.paths import MODELS

FLOAT32 = MODELS / "shapes" / "shapes_float32.tflite"


@pytest.fixture
def regular(tmp_path):
    """The description of the bundled model with regular NMS."""
    file = tmp_path / "regular.tflite"
    file.write_bytes(change_nms(FLOAT32.read_bytes(), NmsChange(regular=True), FLOAT32))
    return describe(file)


@pytest.mark.parametrize(
    ("runtime", "delegate", "status"),
    [
        ("benchmark_model tflite sha256:0123", "cpu:4", "incorrect"),
        ("eval_coco_object_detection sha256:0123", "cpu:4", "incorrect"),
        ("tflite-runtime 2.14.0", "cpu-reference:2", "incorrect"),
        ("ai-edge-litert 2.3.0", "cpu:1", "ok"),
        ("ai-edge-litert 2.3.0", "cpu:8", "ok"),
        ("ai-edge-litert 9.0", "cpu:4", "ok"),
        ("benchmark_model tflite sha256:0123", "gpu", "ok"),
    ],
)
def test_regular_nms_on_several_threads_is_incorrect_on_every_runtime_that_has_it(
    regular, ok_process, runtime, delegate, status
):
    cell = SimpleNamespace(facts=regular, delegate=parse_delegate(delegate))
    found = with_known_faults(cell, ok_process(0, runtime=runtime))
    assert found.status == status
    assert bool(found.reasons) == (status == "incorrect")


def test_outputs_that_images_show_to_be_wrong_are_explained_by_the_class_that_is_lost(regular):
    cell = SimpleNamespace(facts=regular, delegate=parse_delegate("cpu:2"))
    (why,) = known_reasons(cell, "incorrect")
    assert "never reports class 2" in why and not known_reasons(cell)


def test_a_fallback_stays_one_and_says_what_is_known_of_it(ok_process, tmp_path):
    layout, file = Layout(), tmp_path / "computed.tflite"
    size = layout.binary("ADD", layout.constant([1, ROWS, 3], "int32"), layout.constant([0, 0, 1], "int32"))
    layout.write(file, [layout.operator("RESHAPE", [layout.boxes, size], [1, ROWS, 4]), layout.scores])
    cell = SimpleNamespace(facts=describe(file), delegate=parse_delegate("gpu"))
    found = with_known_faults(
        cell, ok_process(0, runtime="benchmark_model tflite sha256:0", status="fallback")
    )
    assert found.status == "fallback" and "whose size is computed (1 RESHAPE)" in found.reasons[0]
    assert known_reasons(cell) == found.reasons[:1]


def test_class_numbers_cut_by_their_scale_are_incorrect_whatever_the_images_show(
    prepared, recorder, tmp_path, quick
):
    file = tmp_path / "rounded.tflite"
    file.write_bytes(with_integer_outputs(FLOAT32.read_bytes(), 2 / 255))
    asked = prepared(models=(str(file),), delegates=("cpu:1",), settings=quick, repetitions=1)
    (record,) = carry_out(asked, recorder).records
    assert record.status == "incorrect"
    assert record.reasons[0].startswith("3 of 6 class numbers cannot be told from others")
    assert "holds class 3 as 2" in record.reasons[0]
