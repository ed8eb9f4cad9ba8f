"""The stand-in behaves as the real tool was recorded to: how it ends, what it says on which stream, what it refuses."""

import re
import subprocess

import pytest

from harness.drivers.benchmark_tool.lines import split
from harness.drivers.benchmark_tool.parse import parse
from harness.tflite.model import describe
from tests.support.launcher import make_launcher
from tests.support.odd_graphs import ODD
from tests.support.paths import REPOSITORY, SHARED_DATA
from tests.support.tool_logs import FAILED, MEASURED, split_log

LOGS = SHARED_DATA / "benchmark_model_logs"
CASES = SHARED_DATA.parent / "cases" / "tool_logs" / "real"
GRAPH = REPOSITORY / "models" / "shapes" / "shapes_float32.tflite"
MISSING_BUILD = ("use_gpu", "use_nnapi", "use_hexagon", "use_coreml", "disable_nnapi_cpu")
"""The recorded build for Linux was made without these."""

NAMES = [row[0] for row in (*FAILED, *MEASURED)]
NAMES += [f"real/{name}" for name in ("input_name_colon_backslash", "input_name_colon_doubled")]
NAMES += ["real/nnapi_unknown_with_cpu_off"]


def read(name):
    path = CASES / f"{name[5:]}.txt" if name.startswith("real/") else LOGS / f"{name}.txt"
    if not path.is_file():
        pytest.skip(f"recorded logs are absent: {path}")
    return split_log(path.read_text(encoding="utf-8", errors="replace"))


def graph_for(name, folder):
    """Return the model that stands for the recorded one: as odd as that was, or the bundled example."""
    if name not in ODD:
        return GRAPH
    file = folder / "odd.tflite"
    file.write_bytes(ODD[name]().bytes())
    return file


def replayed(command, folder, graph=GRAPH):
    """Return the recorded arguments with a graph, an input and files that are here, and as short as can be."""
    tensor = describe(GRAPH).inputs[0]
    shape = ",".join(map(str, tensor.shape))
    (folder / "in.bin").write_bytes(bytes(4 * tensor.shape[1] * tensor.shape[2] * 3))
    (folder / "garbage.tflite").write_bytes(b"garbage" * 40)
    text = command.partition("benchmark_model")[2].partition(" ")[2].removesuffix("2>&1").replace("\\,", ",")
    text = re.sub(r"models/(?:garbage|trunc\w*|zero)\.tflite", f"{folder}/garbage.tflite", text)
    text = re.sub(r"--graph=(?:models/(?!missing)\S+|\w+\.tflite)", f"--graph={graph}", text)
    text = re.sub(r"\b1,(?:224,224|256,256),3", shape, text).replace("out/", f"{folder}/")
    words = text.split()
    measures = "--graph=" in text and "runs=" not in text
    return words + (["--num_runs=2", "--warmup_min_secs=0", "--min_secs=0"] if measures else [])


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_command_line_ends_as_it_was_recorded(name, tmp_path):
    log = read(name)
    plays = {} if "allproviders" in log.command else {"unknown": MISSING_BUILD}
    arguments = replayed(log.command, tmp_path, graph_for(name, tmp_path))
    ended = subprocess.run(
        [make_launcher(tmp_path, **plays), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    expected, found = (
        parse(log.stdout, log.stderr, log.exit_code),
        parse(ended.stdout, ended.stderr, {-6: 134}.get(ended.returncode, ended.returncode)),
    )
    assert (found.exit_code, found.status) == (expected.exit_code, expected.status), ended.stderr
    assert [f.partition("=")[0] for f in found.unconsumed] == [
        f.partition("=")[0] for f in expected.unconsumed
    ]
    assert {level for level, _ in split(ended.stdout)} <= {"", "INFO", "WARN"}
    assert {level for level, words in split(ended.stderr) if "delegate" not in words} <= {"", "ERROR"}


def test_a_stand_in_that_hangs_ends_with_the_process_that_was_started(tmp_path):
    command = [make_launcher(tmp_path, gpu="hang"), f"--graph={GRAPH}", "--use_gpu=true"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as begun:
        assert any("Initialized session" in line for line in begun.stdout)
        begun.kill()
        assert begun.stdout.read() == "", "it ends where nobody is left who could write"
