"""The emulated accuracy of a chip: rows that are marked, have no latency and are held against the CPU's outputs.

The stand-in answers with what Qualcomm's backend gave; HARNESS_ACCEPT_QUALCOMM_LICENSE=1 runs the real one.
"""

import os

import pytest

from harness.drivers.absent import profile_of_absent
from harness.drivers.registry import find_devices
from harness.errors import DeviceError, UsageError
from harness.npu.context_model import End, context_model
from harness.npu.cpu_parts import CpuPart, steps
from harness.rows import frame, pareto
from harness.session import carry_out, prepare_asked
from harness.tflite import reader
from harness.tflite.compiled import Partition
from harness.workspace import Workspace, bundled_workspace
from tests.support.npu import compiled_like, install_stand_in
from tests.support.observers import Recorder
from tests.support.paths import REPOSITORY

CHIP = "emulator:qualcomm-SM8650"
SHAPES = REPOSITORY / "models" / "shapes"
ACCEPTED = os.environ.get("HARNESS_ACCEPT_QUALCOMM_LICENSE") == "1"


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    return install_stand_in(tmp_path / "packages", monkeypatch)


def run(tmp_path, models=("shapes-full-integer",), devices=(CHIP,), **more):
    """Measure as `harness run` does; the rows."""
    given = {"device": devices, "output": str(tmp_path / "runs"), "limit": 4, **more}
    outcome = carry_out(prepare_asked(models, given), Recorder())
    return frame.load_results(outcome.folder).to_dict("records")


def test_the_accuracy_is_the_emulators_and_the_row_says_so(stand_in, tmp_path):
    rows = run(tmp_path)
    (row,) = rows
    assert pareto.marks(rows) == [""]
    assert (row["status"], row["verdict"], row["device_kind"]) == ("partial", "emulated", "emulator")
    assert row["delegate_actual"] == "npu" and row["map"] == pytest.approx(0.6, abs=0.2)
    assert (row["npu_taken"], row["npu_partitions"], row["total_nodes"]) == (57, 1, 58)
    reasons = " ".join(row["reasons"])
    assert "left to the CPU: TFLite_Detection_PostProcess" in reasons and "never ranked" in reasons
    assert "classes are in fewer than" in reasons, "what few images make of a figure holds of a part as well"
    assert "onnxruntime-qnn" in row["runtime"] and str(row["latency_median_ms"]) in {"None", "<NA>", "nan"}


def test_outputs_that_are_not_the_models_are_incorrect(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_GARBLED_OUTPUTS", "1")
    (row,) = run(tmp_path)
    assert row["status"] == "incorrect" and "npu gives other" in " ".join(row["reasons"])


def test_outputs_that_an_npu_makes_coarser_keep_their_accuracy_and_say_so(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_LOSSY_OUTPUTS", "1")
    (row,) = run(tmp_path)
    assert row["status"] == "partial" and row["map"] > 0.3
    assert "have no match" in " ".join(row["reasons"]) and "its mAP says what that costs" in " ".join(
        row["reasons"]
    )


def test_a_process_for_each_core_gives_the_same_figure(stand_in, tmp_path, monkeypatch):
    found = []
    for cores in (1, 2):
        monkeypatch.setattr("harness.bench.cells.available_cores", lambda cores=cores: cores)
        (row,) = run(tmp_path / str(cores))
        found.append((row["status"], row["map"], row["n_images"]))
    assert found[0] == found[1]


def test_without_accuracy_there_is_nothing_to_measure(stand_in, tmp_path):
    (row,) = run(tmp_path, accuracy=False)
    assert row["status"] == "skipped" and "has no latency" in " ".join(row["reasons"])


def test_another_delegate_is_not_offered(stand_in, tmp_path):
    rows = run(tmp_path, delegates=("cpu:1",))
    assert rows[0]["status"] == "skipped" and "offers npu, not cpu" in rows[0]["reasons"][0]
    assert rows[0]["verdict"] != "emulated"


def test_a_model_that_the_compiler_refuses_fails_with_its_reason_and_remedy(stand_in, tmp_path):
    model = tmp_path / "shapes_weight_only4.tflite"
    model.write_bytes((SHAPES / "shapes_float32.tflite").read_bytes())
    (row,) = run(tmp_path, [str(model)], dataset=str(SHAPES / "dataset"))
    assert (
        row["status"] == "failed"
        and "weight-only" in row["reasons"][0]
        and "--mode int8" in row["reasons"][0]
    )
    assert "computed by the vendor's emulator" not in " ".join(row["reasons"])


def test_a_licence_that_was_not_accepted_keeps_the_emulator_shut(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(DeviceError, match="--accept-vendor-license"):
        run(tmp_path)


@pytest.mark.parametrize("name", ["emulator:qualcomm-SM8651", "emulator:apple-A18"])
def test_a_chip_that_is_not_known_is_wrong_use(name, tmp_path):
    with pytest.raises(UsageError, match="SM8650"):
        run(tmp_path, devices=(name,))


@pytest.mark.parametrize("name", ["emulator:qualcomm-SM8651", "emulator:apple-A18"])
def test_a_chip_that_is_not_known_is_wrong_use_in_a_plan_too(name):
    with pytest.raises(UsageError, match="SM8650"):
        profile_of_absent(name, bundled_workspace())


def test_an_emulator_that_cannot_be_used_stands_in_a_plan_under_its_name_with_its_npu():
    profile = profile_of_absent(CHIP, bundled_workspace())
    assert (profile.name, profile.data.delegates) == (CHIP, ("npu",))


def test_the_table_of_chips_is_that_of_the_workspace_that_was_asked_for(tmp_path):
    table = bundled_workspace().devices / "socs" / "qualcomm.toml"
    own = tmp_path / "devices" / "socs" / "qualcomm.toml"
    own.parent.mkdir(parents=True)
    own.write_text(table.read_text("utf-8").replace("SM8650", "SM9999"), "utf-8")
    ((profile, device),) = find_devices("emulator:qualcomm-SM9999", Workspace(tmp_path))
    assert (profile.name, device.soc.name) == ("emulator:qualcomm-SM9999", "SM9999")


def test_what_lies_between_partitions_is_a_file_of_its_own():
    path = SHAPES / "shapes_dynamic_range.tflite"
    data = compiled_like(path.read_bytes(), {6, 8}, "SM8650")
    found = list(steps(reader.read_graph(data, path)))
    kinds = [type(step) for step in found]
    assert kinds.count(Partition) == 3 and kinds[-1] is CpuPart
    assert sum(len(step.places) for step in found if isinstance(step, CpuPart)) == 3


def test_the_model_around_a_binary_is_the_protobuf_that_onnx_describes():
    made = context_model("g", b"xyz", [End("a", "uint8", (1, 300))], [End("b", "float32", (2,))])
    assert made.startswith(b"\x08\x08") and b"EPContext" in made and b"com.microsoft" in made
    assert b"\x0a\x02\x08\x01\x0a\x03\x08\xac\x02" in made  # two dimensions: 1 and 300, as varints


@pytest.mark.skipif(
    not ACCEPTED, reason="HARNESS_ACCEPT_QUALCOMM_LICENSE=1 says that Qualcomm's licence is accepted"
)
def test_the_real_backend_gives_the_recorded_accuracy(tmp_path):
    (row,) = run(tmp_path, limit=None)
    assert (row["status"], row["npu_taken"]) == ("partial", 57) and row["map"] == pytest.approx(
        0.5982, abs=0.0005
    )
