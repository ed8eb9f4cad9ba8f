"""The Edge TPU's path: a stand-in for libedgetpu.so.1 in C, models with `edgetpu-custom-op`, a computer of files.

What only a real TPU can show (its speed, its firmware, its cache) is listed in devices/README.md.
"""

import dataclasses
import fcntl
import shutil

import pytest
from msgspec.structs import replace

from harness.accuracy.dataset import find_dataset
from harness.bench.engines.native.engine import NativeEngine
from harness.bench.engines.native.tool import NativeTool
from harness.bench.plan import Cell
from harness.bench.plan_file import load_plan
from harness.bench.request import Request
from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.binaries import tool_from_file
from harness.drivers.coral import attached as coral_list
from harness.drivers.local import LocalDevice
from harness.errors import ModelError, UsageError
from harness.recognize.find import find_model
from harness.records.records import load_records
from harness.records.status import status_of
from harness.rows.published import published_rows
from harness.session import carry_out, prepare
from harness.settings import Settings
from harness.tflite.model import describe
from harness.worker import evidence
from harness.worker.evidence import Delegation
from harness.workspace import find_workspace
from tests.support.launcher import make_launcher
from tests.support.networks import UINT8, Network


@pytest.fixture(scope="module")
def compiled(repository, tmp_path_factory):
    """A model as edgetpu_compiler leaves it: the custom operator, then PostProcess for the CPU."""
    network = Network()
    image = network.input([1, 32, 48, 3], UINT8, scale=1 / 255, zero_point=0)
    boxes, scores = network.tensor("boxes", [1, 24, 4]), network.tensor("scores", [1, 24, 3])
    network.operator("edgetpu-custom-op", [image], [boxes, scores], custom_options=b"compiled")
    network.postprocess(boxes, scores, 2)
    path = tmp_path_factory.mktemp("compiled") / "ssd_edgetpu.tflite"
    path.write_bytes(network.bytes())
    return path


@pytest.fixture
def computer(tmp_path, monkeypatch, edgetpu_library):
    """A computer with two sticks and the library, as far as the harness looks."""
    root = tmp_path / "root"
    for place, number in (("2-1", 5), ("2-2", 6)):
        folder = root / "sys/bus/usb/devices" / place
        folder.mkdir(parents=True)
        files = {"idVendor": "18d1", "idProduct": "9302", "busnum": "2", "devnum": str(number)}
        for name, text in files.items():
            (folder / name).write_text(f"{text}\n")
        node = root / "dev/bus/usb/002" / f"{number:03d}"
        node.parent.mkdir(parents=True, exist_ok=True)
        node.touch()
    library = root / "libedgetpu/direct/k8/libedgetpu.so.1"
    library.parent.mkdir(parents=True)
    shutil.copy(edgetpu_library, library)
    monkeypatch.setattr(coral_list, "ROOT", root)
    monkeypatch.setattr("harness.settings.LEAST_PATIENCE_S", 1.0)  # a model this small is never steady
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library.parent))
    return root


@pytest.fixture
def ask(tmp_path, repository, compiled, computer):
    def make(*models, delegates=("edgetpu",), options=(), devices=("local",), **changes):
        return prepare(
            Request(
                models=tuple(map(str, models or (compiled,))),
                devices=devices,
                delegates=delegates,
                delegate_options=tuple(dict(options).items()),
                workspace=str(repository),
                output=str(tmp_path / "results"),
                settings=Settings(min_runs=3, min_seconds=0.02, accuracy=False, **changes),
                repetitions=1,
            )
        )

    return make


def test_a_compiled_model_runs_on_the_tpu_and_post_processing_on_the_cpu(ask, recorder):
    (record,) = carry_out(ask(delegates=("edgetpu:usb:1",)), recorder).records
    assert (record.status, record.delegate.actual) == ("partial", "edgetpu")
    assert (record.delegate.delegated_nodes, record.delegate.total_nodes) == (1, 2)
    assert "left to the CPU: TFLite_Detection_PostProcess" in record.reasons[0]
    evidence = record.delegate.evidence
    assert "stand-in delegate option: device=usb:1" in evidence
    assert any("libedgetpu.so.1 sha256:" in text and text.endswith(", clock: max") for text in evidence)


def test_a_compiled_model_that_the_library_leaves_alone_never_counts_as_run(ask, recorder):
    """The library loads and takes nothing, so the runtime is left with an operator that it does not have."""
    (record,) = carry_out(ask(options={"take": "none"}), recorder).records
    assert record.status == "failed" and record.delegate.actual == "unknown"
    assert "took 0 of 2 nodes, and the rest cannot run without it" in record.reasons[0]


def test_what_ran_elsewhere_although_edgetpu_was_asked_for_is_a_fallback(ask, recorder):
    """A runtime with a kernel of its own for the operator: no node is the library's, and it runs all the same."""
    (record,) = carry_out(ask(), recorder).records
    execution = evidence.describe_library(
        "edgetpu", "libedgetpu.so.1", Delegation(0, 0, 2), {"edgetpu-custom-op": 1}, Delegation(0, 0, 2)
    )
    ran = replace(record.processes[0].delegate, **dataclasses.asdict(execution))
    status, reasons = status_of(replace(record, processes=(replace(record.processes[0], delegate=ran),)))
    assert status == "fallback" and reasons[0].startswith("edgetpu was asked for, but cpu-reference ran")


def test_a_model_that_is_not_compiled_is_skipped_with_the_command_that_compiles_it(ask, recorder, compiled):
    records = carry_out(ask("shapes-full-integer", compiled), recorder).records
    assert [record.status for record in records] == ["skipped", "partial"]
    assert "`harness edgetpu compile shapes_full_integer.tflite`" in records[0].reasons[0]


def test_a_compiled_model_on_a_cpu_is_skipped_with_the_reason(ask, recorder):
    records = carry_out(ask(delegates=("cpu:1", "edgetpu")), recorder).records
    assert [record.status for record in records] == ["skipped", "partial"]
    assert "which cpu:1 cannot run" in records[0].reasons[0]


def test_a_compiled_model_on_cpus_alone_is_refused(ask):
    with pytest.raises(ModelError, match="compiled for the Edge TPU"):
        ask(delegates=("cpu:1", "cpu-reference"))


def test_without_a_tpu_or_its_library_the_cell_is_skipped_in_advance(ask, recorder, computer, monkeypatch):
    shutil.rmtree(computer / "sys/bus/usb/devices/2-2")
    (record,) = carry_out(ask(delegates=("edgetpu:usb:1",)), recorder).records
    assert (record.status, record.reasons[0]) == ("skipped", "there is no Edge TPU usb:1, only usb:0")
    monkeypatch.delenv("LD_LIBRARY_PATH")
    (record,) = carry_out(ask(), recorder).records
    assert record.status == "skipped" and "libedgetpu1-std" in record.reasons[0]


def test_the_first_inference_that_loads_the_parameters_is_apart_from_the_steady_ones(ask, recorder):
    outcome = carry_out(ask(options={"load_us": "60000"}), recorder)
    (stored,) = load_records(outcome.folder)
    first, *later = stored.samples()[0]["duration_ns"]
    assert first >= 60e6 > max(later) and not stored.samples()[0]["steady"][0]
    assert stored.record.processes[0].first_inference_ns == first


def test_two_tpus_are_measured_at_the_same_time(ask, recorder, tmp_path, compiled):
    """Each process holds its TPU's lock, and one that finds it held fails: a TPU is never shared."""
    locks = tmp_path / "locks"
    locks.mkdir()
    asked = ask(
        devices=("coral-usb:0", "coral-usb:1"),
        delegates=(),
        options={"lock": str(locks), "load_us": "300000"},
    )
    records = carry_out(asked, recorder).records
    assert {record.device.name: record.status for record in records} == {
        "coral-usb:0": "partial",
        "coral-usb:1": "partial",
    }
    assert {record.delegate.requested.partition("[")[0] for record in records} == {
        "edgetpu:usb:0",
        "edgetpu:usb:1",
    }
    assert {path.name for path in locks.iterdir()} == {"usb:0", "usb:1"}


def test_a_tpu_that_another_program_holds_is_told_so(ask, recorder, tmp_path):
    """The stand-in says so itself; a library that says nothing gets the usual reasons."""
    with (tmp_path / "usb:0").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (record,) = carry_out(
            ask(delegates=("edgetpu:usb:0",), options={"lock": str(tmp_path)}), recorder
        ).records
    assert record.status == "failed" and "the device is in use" in record.reasons[0]


def test_measuring_the_cpu_and_a_tpu_of_one_computer_at_once_is_warned_of(ask, compiled):
    asked = ask("shapes-full-integer", compiled, devices=("local", "coral-usb:1"), delegates=())
    assert any("parts of one computer" in remark for remark in asked.remarks)


def test_two_devices_that_would_share_a_tpu_are_refused(ask):
    with pytest.raises(UsageError, match="would share the Edge TPU usb:0"):
        ask(devices=("local", "coral-usb:0"))


def test_the_published_comparison_is_a_plan_that_runs_and_stands_beside_the_published_figures(
    repository, computer, compiled, recorder, tmp_path, monkeypatch
):
    """With compiled files where the cards say; the library is the stand-in, so the figures mean nothing here."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    plan = load_plan(repository / "results" / "published" / "plans" / "coral-dev-board.toml")
    assert (plan.devices, plan.delegates) == (("coral-dev-board",), ("edgetpu",))
    workspace = find_workspace(repository)
    for name in plan.models:
        model = find_model(name, workspace)
        assert model.card.source.url.startswith("http://download.tensorflow.org/models/object_detection/")
        model.file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(compiled, model.file)
    settings = dataclasses.replace(plan.settings, min_seconds=0.02, min_runs=3)
    request = dataclasses.replace(
        plan,
        devices=("local",),
        settings=settings,
        repetitions=1,
        workspace=str(repository),
        output=str(tmp_path),
    )
    records = carry_out(prepare(request), recorder).records
    assert [(record.model.name, record.status) for record in records] == [
        (name, "partial") for name in plan.models
    ]
    published = {row["model"]: row["fps"] for row in published_rows(workspace)}
    assert [published[name] for name in plan.models] == [152, 164]


@pytest.mark.parametrize(
    "name", ["coral-dev-board", "coral-public", "mobiledet-pixel-4", "mobiledet-galaxy-s9-plus"]
)
def test_every_plan_that_comes_along_names_cards_and_devices_that_there_are(repository, name):
    plan = load_plan(repository / "results" / "published" / "plans" / f"{name}.toml")
    workspace = find_workspace(repository)
    assert all(find_model(model, workspace).card.source.url for model in plan.models)
    assert all((repository / "devices" / f"{device}.toml").is_file() for device in plan.devices)


def test_switching_models_is_measured_apart_from_the_steady_inferences(ask, recorder, compiled, tmp_path):
    """The stand-in takes 40 ms to load a model's parameters, as it must after another model has run."""
    other = tmp_path / "other_edgetpu.tflite"
    other.write_bytes(compiled.read_bytes() + b"\0")
    outcome = carry_out(ask(compiled, other, options={"load_us": "40000"}, switch_models=True), recorder)
    for record, name in zip(outcome.records, ("other_edgetpu", "ssd_edgetpu"), strict=True):
        switched = record.processes[0].telemetry.after_other_model
        assert switched.model == name and min(switched.durations_ns) >= 40e6
    (stored, _) = load_records(outcome.folder)
    assert max(stored.samples()[0]["duration_ns"][1:]) < 40e6


def test_a_model_alone_has_none_to_switch_to(ask):
    with pytest.raises(
        UsageError, match="--switch-models: ssd_edgetpu is the only model on local with edgetpu"
    ):
        ask(switch_models=True)


@pytest.fixture
def copier(repository, tmp_path):
    """A compiled model whose operator copies, as the stand-in does, and the file from before the compiler."""
    quantized = {"scale": 1 / 255, "zero_point": 0}
    for name in ("copy", "copy_edgetpu"):
        network = Network()
        image = network.input([1, 4, 4, 3], UINT8, **quantized)
        if name == "copy":
            network.graph.outputs = [network.reshape(image, [1, 48], "flat")]
            flat = network.graph.tensors[network.graph.outputs[0]]
            flat.type, flat.quantization = UINT8, network.graph.tensors[image].quantization
        else:
            flat = network.tensor("flat", [1, 48], UINT8, **quantized)
            network.graph.outputs = [
                network.operator("edgetpu-custom-op", [image], [flat], custom_options=b"x")
            ]
        (tmp_path / f"{name}.tflite").write_bytes(network.bytes())
    return tmp_path / "copy_edgetpu.tflite"


def test_outputs_are_held_against_the_file_from_before_the_compiler_where_it_is_beside(
    ask, recorder, copier, repository
):
    """On the CPU the one reshapes bytes, on the stand-in the other copies them: the same, until it is told to err."""
    (right,) = carry_out(ask(copier), recorder).records
    assert (right.status, right.reasons) == ("ok", ())
    (wrong,) = carry_out(ask(copier, options={"wrong": "1"}), recorder).records
    assert wrong.status == "incorrect" and "edgetpu gives other values than cpu:1" in wrong.reasons[0]
    shutil.copy(
        repository / "models" / "shapes" / "shapes_full_integer.tflite", copier.parent / "copy.tflite"
    )
    (stale,) = carry_out(ask(copier), recorder).records
    assert stale.status == "ok" and "copy.tflite is another model" in stale.reasons[0]
    (copier.parent / "copy.tflite").unlink()
    (alone,) = carry_out(ask(copier, options={"wrong": "1"}), recorder).records
    assert alone.status == "ok" and "is not beside the compiled one" in alone.reasons[0]


def test_the_native_tool_runs_a_compiled_model_and_does_not_ask_the_cpu_for_it(
    repository, compiled, edgetpu_library, tmp_path
):
    """As on a board without Python: the tool is a stand-in, the library beside it is loaded for real."""
    (tmp_path / "tool").mkdir()
    shutil.copy(edgetpu_library, tmp_path / "tool")
    engine = NativeEngine(NativeTool(LocalDevice(), tool_from_file(make_launcher(tmp_path / "tool"))))
    dataset = find_dataset(repository / "models" / "shapes" / "dataset").limited(2)
    cell = Cell(
        1,
        find_model(str(compiled), find_workspace(repository)),
        describe(compiled),
        "local",
        parse_delegate("edgetpu"),
        Settings(min_runs=3, min_seconds=0.02),
        dataset,
    )
    scratch = tmp_path / "run" / ".scratch" / "cell"
    scratch.mkdir(parents=True)
    facts = engine.time(cell, 0, scratch).facts
    assert (facts.status, facts.delegate.actual, facts.delegate.delegated_nodes) == ("partial", "edgetpu", 1)
    assert any("no CPU runs a model that is compiled" in reason for reason in facts.reasons)
