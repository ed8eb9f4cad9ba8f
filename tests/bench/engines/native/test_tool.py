"""benchmark_model on one device: what it is given, where it runs, what it leaves."""

import shutil
from pathlib import Path

import pytest

from harness.bench.engines.native.engine import PLAIN, NativeEngine
from harness.bench.engines.native.tool import DeviceFiles, NativeTool, ProbedTool
from harness.drivers.benchmark_tool.binaries import tool_from_file
from harness.drivers.local import LocalDevice
from harness.errors import MeasurementError, UsageError


def ignore(done, total):
    """Progress that nobody looks at."""


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


class ShellDevice(LocalDevice):
    """This computer with another shell."""

    def __init__(self, shell):
        super().__init__()
        self._shell = shell.split()

    def run(self, argv, **settings):
        assert argv[0] == "sh"
        return super().run([*self._shell, *argv[1:]], **settings)


@pytest.mark.parametrize(
    "shell", [s for s in ("dash", "bash", "mksh", "busybox sh") if shutil.which(s.split()[0])]
)
def test_any_plain_shell_will_do(shell, native, shapes, scratch):
    engine = native(ShellDevice(shell), gpu="partial")
    facts = engine.time(shapes("gpu", n_images=0), 0, scratch).facts
    assert (facts.status, facts.delegate.delegated_nodes) == ("partial", 54)
    assert engine.infer(shapes(n_images=2), scratch, ignore).n_images == 2


def test_nothing_is_left_on_the_device(native, shapes, scratch, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(_made(tmp_path / "tmp")))
    engine = native()
    engine.time(shapes(), 0, scratch)
    engine.infer(shapes(), scratch, ignore)
    assert list((tmp_path / "tmp").glob("harness-run-*")) == []


def test_a_tool_that_cannot_be_started_is_a_failure_that_says_so(shapes, scratch, tmp_path):
    tool = tmp_path / "benchmark_model"
    tool.write_text("#!/bin/sh\necho hello; exit 3\n")
    tool.chmod(0o755)
    with pytest.raises(MeasurementError, match=r"is no benchmark_model: .*hello"):
        NativeEngine(NativeTool(LocalDevice(), tool_from_file(tool))).time(shapes(), 0, scratch)


def test_a_tool_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--benchmark-binary"):
        tool_from_file(tmp_path / "nothing")


def test_a_delegate_without_its_library_is_refused_before_it_runs(native, shapes, scratch):
    with pytest.raises(MeasurementError, match=r"libQnnTFLiteDelegate\.so"):
        native().time(shapes("qnn:htp"), 0, scratch)


def test_the_cpus_to_run_on_are_told_to_taskset(native, shapes, scratch):
    engine = native()
    engine.tool.cpu_mask = "1"
    assert engine.time(shapes(), 0, scratch).facts.status == "ok"


def test_libraries_are_linked_into_one_folder_and_told_to_the_tool(native, shapes, scratch, tmp_path):
    names = ("libQnnHtp.so", "libQnnHtpV73Skel.so", "libQnnSystem.so", "libQnnTFLiteDelegate.so")
    folder = _made(tmp_path / "tool")
    for name in names:
        (folder / name).touch()
    engine = native()
    bench, placed = (
        ProbedTool("/d", "tflite"),
        DeviceFiles("/t/benchmark_model", "/m/x.tflite", tuple(f"/h/{n}" for n in names)),
    )
    argv = engine.tool.command(shapes("qnn:htp"), placed, bench, "token", PLAIN)
    lib = "/d/harness-run-token/lib"
    assert f"--external_delegate_path={lib}/libQnnTFLiteDelegate.so" in argv
    assert f"--external_delegate_options=backend_type:htp;library_path:{lib}/libQnnHtp.so" in argv
    assert engine.tool.environment(placed, bench, "token")["LD_LIBRARY_PATH"] == lib
    facts = engine.time(shapes("qnn:htp", n_images=0), 0, scratch).facts
    assert (facts.status, facts.delegate.actual) == ("fallback", "xnnpack"), "empty libraries take no node"
