"""A model compiled for a chip: by a stand-in that plays what was recorded, and by the real compiler where that may run.

HARNESS_ACCEPT_QUALCOMM_LICENSE=1 says that Qualcomm's licence was read and accepted, and that onnxruntime-qnn is here.
"""

import os
from pathlib import Path

import pytest

from harness.errors import JobError, UsageError
from harness.npu import license as vendor_license
from harness.npu.compiler import compile_for, compiled_file, vendor_answer
from harness.npu.reasons import reasons
from harness.npu.socs import find_soc, list_socs
from harness.npu.vendor import find_vendor
from harness.tflite import reader
from harness.tflite.compiled import read_compiled
from harness.tflite.inspect.model import inspect
from harness.workspace import bundled_workspace
from tests.support.npu import compiled_like, make_vendor
from tests.support.paths import REPOSITORY, SHARED_DATA

SHAPES = REPOSITORY / "models" / "shapes"
INT8, DYNAMIC, FLOAT = (
    SHAPES / f"shapes_{name}.tflite" for name in ("full_integer", "dynamic_range", "float32")
)
ACCEPTED = os.environ.get("HARNESS_ACCEPT_QUALCOMM_LICENSE") == "1"


@pytest.fixture
def vendor(tmp_path):
    return make_vendor(tmp_path / "packages")


def test_what_the_npu_takes_is_counted_and_what_it_leaves_is_named(vendor):
    done = compile_for(DYNAMIC, "SM8650", vendor=vendor)
    assert (done.taken, done.operators, done.problem) == (37, 55, None)
    names = [one.operator for one in done.refused]
    assert names == ["CONV_2D"] * 17 + ["TFLite_Detection_PostProcess"] and done.compiled_bytes > 100_000
    assert "dynamic range" in done.refused[0].why and "--mode int8" in done.refused[0].remedy
    assert done.refused[0].types == "FLOAT_32, SFIXED_POINT_8, FLOAT_32 → FLOAT_32"
    assert "harness edit cut" in done.refused[-1].remedy


def test_the_compiled_file_is_kept_and_recognised(vendor, tmp_path):
    kept = tmp_path / "out.tflite"
    compile_for(INT8, "SM8650", kept, vendor)
    found = read_compiled(reader.read_graph(reader.read_bytes(kept), kept))
    assert (found.maker, found.soc, len(found.partitions)) == ("Qualcomm", "SM8650", 1)
    assert found.left == ("TFLite_Detection_PostProcess",) and found.binary_bytes == len(b"a vendor's binary")
    (part,) = found.partitions
    assert kept.read_bytes()[part.offset :][: part.size] == b"a vendor's binary"


def test_a_file_that_is_compiled_already_is_refused(vendor, tmp_path):
    compiled = tmp_path / "compiled.tflite"
    compiled.write_bytes(compiled_like(INT8.read_bytes(), set(), "SM8650"))
    with pytest.raises(UsageError, match="is compiled for SM8650 already"):
        compile_for(compiled, "SM8650", vendor=vendor)


def test_a_model_that_cannot_be_compiled_says_why_and_what_helps(vendor, tmp_path):
    model = tmp_path / "shapes_weight_only4.tflite"
    model.write_bytes(FLOAT.read_bytes())
    done = compile_for(model, "SM8650", vendor=vendor)
    assert (done.taken, done.operators, done.partitions, done.compiled_bytes) == (0, 75, 0, None)
    assert "weight-only" in done.problem and "--mode int8" in done.refused[0].remedy
    with pytest.raises(JobError, match="weight-only"), compiled_file(model, "SM8650", vendor):
        pass


def test_a_chip_that_the_compiler_does_not_know_is_named_and_says_nothing_of_the_model(vendor):
    with pytest.raises(JobError, match="knows no such chip"):
        compile_for(INT8, "SM9999", vendor=vendor)


def test_a_compiler_that_cannot_be_loaded_is_no_word_on_the_model_and_the_loaders_words_are_said(vendor):
    words = "Could not load shared library plugin.so: libQnnHtp.so: file too short"
    vendor.program.write_text(f"#!/bin/sh\necho 'ERROR: [a.cc:1] {words}' >&2\nexit 1\n")
    with pytest.raises(JobError, match=r"could not be loaded.*file too short"):
        compile_for(INT8, "SM8650", vendor=vendor)


def test_a_compiler_that_crashes_is_an_error_with_its_last_words(vendor):
    vendor.program.write_text("#!/bin/sh\necho boom >&2\nkill -9 $$\n")
    with pytest.raises(JobError, match="exit code -9 and no model: boom"):
        compile_for(INT8, "SM8650", vendor=vendor)


def test_a_compiled_model_is_its_own_sentence_in_an_inspection(tmp_path):
    compiled = tmp_path / "compiled.tflite"
    compiled.write_bytes(compiled_like(DYNAMIC.read_bytes(), {6, 8}, "SM8650"))
    found = inspect(compiled)["compiled_for"]
    assert (found["maker"], found["soc"], found["partitions"]) == ("Qualcomm", "SM8650", 3)
    assert found["left"] == {"CONV_2D": 2, "TFLite_Detection_PostProcess": 1}
    assert inspect(DYNAMIC)["compiled_for"] is None


def test_the_licence_is_asked_for_once_and_anew_where_it_changed(vendor, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with pytest.raises(UsageError, match=r"read .*Qualcomm_LICENSE.pdf.*--accept-vendor-license"):
        vendor_license.require_acceptance(vendor)
    vendor_license.require_acceptance(vendor, accepted=True)
    vendor_license.require_acceptance(vendor)
    vendor.license.write_text("Another licence.")
    assert not vendor_license.is_accepted(vendor)
    vendor_license.license_file().write_text('other = "x"\nqualcomm = "any"\n')
    vendor_license.require_acceptance(vendor)


def test_no_line_of_another_maker_is_lost(vendor, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    vendor_license.license_file().parent.mkdir()
    vendor_license.license_file().write_text('other = "x"\nqualcomm = "old"')
    vendor_license.require_acceptance(vendor, accepted=True)
    assert vendor_license.license_file().read_text().startswith('other = "x"\nqualcomm = "')


@pytest.mark.parametrize("before", ['qualcomm = ["any"]\n', '[other]\nqualcomm = "any"\n'])
def test_what_is_no_line_of_ours_accepts_nothing_and_does_not_hide_the_acceptance(
    vendor, tmp_path, monkeypatch, before
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    vendor_license.license_file().parent.mkdir()
    vendor_license.license_file().write_text(before)
    assert not vendor_license.is_accepted(vendor)
    vendor_license.require_acceptance(vendor, accepted=True)
    assert vendor_license.is_accepted(vendor)


def test_the_environment_has_every_library_and_the_one_that_the_package_lacks(vendor):
    with vendor.environment() as env:
        folder = Path(env["LD_LIBRARY_PATH"].split(":")[0])
        assert {"libQnnHtp.so", "libQnnSystem.so", "libQnnLpai.so"} <= {
            path.name for path in folder.iterdir()
        }
    assert not folder.exists()


def test_every_chip_is_told_once_and_a_misspelt_one_has_near_misses():
    workspace = bundled_workspace()
    names = [soc.name for soc in list_socs(workspace)]
    assert len(set(names)) == len(names) and find_soc("sm8650", workspace).floats == "float16"
    with pytest.raises(UsageError, match="SM8650"):
        find_soc("SM8651", workspace)


def test_every_reason_has_a_remedy_that_names_our_own_commands_rightly():
    from harness.cli.main import COMMANDS

    for row in reasons():
        assert row.why and row.remedy
        words = [part.split()[0] for part in row.remedy.split("`harness ")[1:]]
        assert set(words) <= set(COMMANDS)


def test_an_answer_for_a_forecast_is_words_where_the_vendor_is_not_here(monkeypatch):
    monkeypatch.setattr(
        "harness.npu.compiler.find_vendor", lambda: (_ for _ in ()).throw(UsageError("not here"))
    )
    assert vendor_answer(INT8, "SM8650") == "not here"


REAL = {
    "ssd_mobilenet_v1_coco_quant": (63, 64, 1),
    "ssd_mobilenet_v2_fpnlite_10_256_int8": (184, 219, 16),
    "shapes_full_integer": (57, 58, 1),
    "shapes_dynamic_range": (37, 55, 18),
    "yolov5n-int8": (281, 281, 1),
}


@pytest.mark.skipif(
    not ACCEPTED, reason="HARNESS_ACCEPT_QUALCOMM_LICENSE=1 says that Qualcomm's licence is accepted"
)
@pytest.mark.parametrize("name", REAL)
def test_the_real_compiler_takes_as_much_as_was_recorded(name):
    file = next(
        (path for place in (SHAPES, SHARED_DATA / "models") if (path := place / f"{name}.tflite").is_file()),
        None,
    )
    if file is None:
        pytest.skip("the model is not here")
    done = compile_for(file, "SM8650", vendor=find_vendor())
    assert (done.taken, done.operators, done.partitions) == REAL[name]
    assert len(done.refused) == done.operators - done.taken and all(one.why for one in done.refused)
