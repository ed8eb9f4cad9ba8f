"""Compiling with a stand-in program that prints and leaves what edgetpu_compiler does, and how much work is mapped."""

import json
import subprocess
import sys

import pytest

from harness.cli.main import main
from harness.edgetpu import compiler
from harness.edgetpu.compiler import Options, compile_converted, compile_model
from harness.edgetpu.coverage import coverage
from harness.edgetpu.log import ModelLog, Row
from harness.errors import JobError, ModelError, UsageError
from harness.recognize.find import find_model
from harness.tflite.model import describe
from harness.workspace import Workspace

PROGRAM = '''#!{python}
"""A stand-in for edgetpu_compiler: the arguments of its documentation, its log, and a file with its operator."""
import json, pathlib, sys
plays = {plays!r}
arguments, model = sys.argv[1:-1], pathlib.Path(sys.argv[-1])
folder = pathlib.Path(arguments[arguments.index("-o") + 1])
(folder / "arguments.json").write_text(json.dumps(sys.argv[1:]))
print("Edge TPU Compiler version 16.0.384591198")
if "fails" in plays:
    print(plays["fails"])
    sys.exit(1)
name = model.stem + "_edgetpu.tflite"
if not plays.get("leaves_nothing"):
    data = model.read_bytes()
    name_of = lambda text: len(text).to_bytes(4, "little") + text.ljust(28, b"\\0")  # a flatbuffer's string
    old = name_of(b"TFLite_Detection_PostProcess")
    new = old if plays.get("maps_nothing") else name_of(b"edgetpu-custom-op")
    (folder / name).write_bytes(data.replace(old, new))
print(f"""
Model compiled successfully in 96 ms.

Input model: {{model}}
Output model: {{folder / name}}
On-chip memory used for caching model parameters: 160.00KiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 58
Number of operations that will run on Edge TPU: 55
Number of operations that will run on CPU: 3

Operator                       Count      Status

QUANTIZE                       1          Mapped to Edge TPU
CONV_2D                        20         Mapped to Edge TPU
DEPTHWISE_CONV_2D              19         Mapped to Edge TPU
ADD                            4          Mapped to Edge TPU
RESHAPE                        8          Mapped to Edge TPU
CONCATENATION                  2          Mapped to Edge TPU
LOGISTIC                       1          Mapped to Edge TPU
DEQUANTIZE                     2          Operation is working on an unsupported data type
CUSTOM                         1          Operation is working on an unsupported data type""")
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a compiler into the search path that plays what is given."""

    def put(**plays):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / "edgetpu_compiler"
        path.write_text(PROGRAM.format(python=sys.executable, plays=plays))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return put


@pytest.fixture
def model(repository):
    return repository / "models" / "shapes" / "shapes_full_integer.tflite"


def test_a_model_is_compiled_into_a_folder_with_its_whole_log(install, model, tmp_path):
    install()
    done = compile_model(model, Options(output=tmp_path / "out"))
    assert done.model == tmp_path / "out" / "shapes_full_integer_edgetpu.tflite"
    assert describe(done.model).edgetpu
    assert "Number of Edge TPU subgraphs: 1" in done.log_file.read_text()
    assert done.log.models[0].mapped == 55


def test_the_compiler_is_told_what_was_asked_for_and_nothing_else(install, model, tmp_path):
    install()
    compile_model(model, Options(tmp_path, multiple_subgraphs=True, min_runtime=13, timeout_s=600))
    told = json.loads((tmp_path / "arguments.json").read_text())
    assert told == ["-s", "-o", str(tmp_path), "-a", "-m", "13", "-t", "600", str(model)]
    compile_model(model, Options(tmp_path))
    assert json.loads((tmp_path / "arguments.json").read_text()) == ["-s", "-o", str(tmp_path), str(model)]


@pytest.mark.parametrize(
    ("plays", "text"),
    [
        ({"fails": "Internal compiler error. Aborting!"}, "the compiler crashed"),
        ({"fails": "Model not quantized"}, "quantize it fully"),
        ({"fails": "Something else"}, "exit code 1"),
        ({"leaves_nothing": True}, "left no shapes_full_integer_edgetpu.tflite"),
        ({"maps_nothing": True}, "nothing in it is for the Edge TPU"),
    ],
)
def test_a_compilation_that_failed_is_believed_and_explained(install, model, tmp_path, plays, text):
    install(**plays)
    with pytest.raises(JobError, match=text):
        compile_model(model, Options(output=tmp_path))


def test_without_the_compiler_it_is_said_how_to_get_it(monkeypatch, model, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="apt-get install edgetpu-compiler") as caught:
        compile_model(model)
    assert "x86-64" in str(caught.value)


def test_a_float_model_and_a_compiled_one_are_refused_before_the_compiler_is_asked(
    install, repository, tmp_path, model
):
    install()
    with pytest.raises(UsageError, match=r"harness quantize shapes_float32\.tflite --mode int8"):
        compile_model(repository / "models" / "shapes" / "shapes_float32.tflite")
    done = compile_model(model, Options(output=tmp_path))
    with pytest.raises(UsageError, match="compiled for the Edge TPU already"):
        compile_model(done.model)


def test_a_compiler_that_hangs_is_killed(model, tmp_path, monkeypatch):
    path = tmp_path / "edgetpu_compiler"
    path.write_text("#!/bin/sh\nsleep 60\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(compiler, "LEAST_TIMEOUT_S", 0.2)
    with pytest.raises(JobError, match="gave no answer"):
        compile_model(model, Options(output=tmp_path, timeout_s=1))


ALL = {
    **{"QUANTIZE": 1, "CONV_2D": 20, "DEPTHWISE_CONV_2D": 19, "ADD": 4, "RESHAPE": 8},
    **{"CONCATENATION": 2, "LOGISTIC": 1, "DEQUANTIZE": 2, "CUSTOM": 1},
}


def log_of(mapped):
    """A log of the bundled model with so many of each operator mapped, the rest not."""
    rows = [Row(name, count, "Mapped to Edge TPU") for name, count in mapped.items() if count]
    rows += [
        Row(name, n - mapped.get(name, 0), "Operation not supported")
        for name, n in ALL.items()
        if n > mapped.get(name, 0)
    ]
    return ModelLog(rows=tuple(rows))


def test_all_the_work_is_in_the_convolutions(model):
    """Every MAC of the network is in CONV_2D and DEPTHWISE_CONV_2D, so mapping these maps all."""
    found = coverage(log_of({"CONV_2D": 20, "DEPTHWISE_CONV_2D": 19}), model)
    assert (found.macs.low, found.macs.high) == (1.0, 1.0)
    nothing = coverage(log_of({"ADD": 4, "RESHAPE": 8}), model)
    assert (nothing.macs.low, nothing.macs.high) == (0.0, 0.0)


def test_where_the_log_leaves_open_which_are_mapped_the_share_is_a_range(model):
    """10 of 20 convolutions: at least what the cheapest ten cost, at most what the dearest ten do."""
    from harness.tflite import costs, reader
    from harness.tflite import nodes as inspect_nodes

    data = model.read_bytes()
    nodes = inspect_nodes.read_nodes(reader.read_graph(data, model), data, model)
    each = sorted(costs.macs(node) for node in nodes if node.name == "CONV_2D")
    total = sum(costs.macs(node) or 0 for node in nodes)
    found = coverage(log_of({"CONV_2D": 10}), model)
    assert found.macs.low == pytest.approx(sum(each[:10]) / total)
    assert found.macs.high == pytest.approx(sum(each[10:]) / total)
    assert 0 < found.weight_bytes.low < found.weight_bytes.high < 1


def test_a_log_of_another_model_is_refused_with_both_counts(model):
    with pytest.raises(ModelError, match="CONV_2D stands 55 times in the log and 20 times in the file"):
        coverage(ModelLog(rows=(Row("CONV_2D", 55, "Mapped to Edge TPU"),)), model)


@pytest.mark.parametrize(("plays", "status"), [({}, 0), ({"fails": "Internal compiler error. Aborting!"}, 1)])
def test_the_command_prints_the_rows_of_the_log_and_ends_with_the_right_status(
    install, model, tmp_path, plays, status
):
    install(**plays)
    argv = [
        sys.executable,
        "-m",
        "harness",
        "edgetpu",
        "compile",
        str(model),
        "-o",
        str(tmp_path),
        "--format",
    ]
    done = subprocess.run([*argv, "json"], capture_output=True, text=True, check=False)
    assert done.returncode == status
    if status:
        assert done.stdout == "" and "the compiler crashed" in done.stderr
        return
    rows = json.loads(done.stdout)
    assert {
        "operator": "CONV_2D",
        "count": 20,
        "status": "Mapped to Edge TPU",
        "mapped": True,
    }.items() <= rows[1].items()
    assert "shapes_full_integer_edgetpu.tflite" in done.stderr
    table = subprocess.run([*argv, "table"], capture_output=True, text=True, check=True)
    assert "100.0 % of the MACs" in " ".join(table.stderr.split())


def test_a_log_beside_its_model_says_what_stays_off_the_edge_tpu_and_what_share_of_the_work_that_is(
    install, model, tmp_path, capsys
):
    install()
    log = tmp_path / "x.log"
    compiler_argv = [str(tmp_path / "bin" / "edgetpu_compiler"), "-o", str(tmp_path), str(model)]
    log.write_bytes(subprocess.run(compiler_argv, capture_output=True, check=True).stdout)
    with pytest.raises(SystemExit) as ended:
        main(["edgetpu", "log", str(log), "--model", str(model)])
    out, said = capsys.readouterr()
    assert ended.value.code == 0
    off = [line for line in out.splitlines() if "unsupported" in line]
    assert [line.split()[0] for line in off] == ["DEQUANTIZE", "CUSTOM"]
    assert "100.0 % of the MACs" in " ".join(said.split())


@pytest.fixture
def card(repository, tmp_path, monkeypatch, model):
    """The card of Galliot's model, whose conversion is there."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    found = find_model("ssdlite-mobilenet-v2-ptq-edgetpu", Workspace(repository))
    found.converted.parent.mkdir(parents=True)
    found.converted.write_bytes(model.read_bytes())
    return found


def test_what_is_converted_for_a_card_is_compiled_to_its_file(install, card):
    install()
    said = compile_converted(card, card.converted)
    assert said == [f"compiled: {card.file}", f"log: {card.file.with_suffix('.compiler.log')}"]
    assert card.available and describe(card.file).edgetpu


def test_where_the_compiler_is_not_the_command_is_said_and_elsewhere_nothing_is_done(
    card, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    (said,) = compile_converted(card, card.converted)
    assert "`harness edgetpu compile ssdlite-mobilenet-v2-ptq-edgetpu`" in said and not card.available
    assert compile_converted(card, tmp_path / "other.tflite") == compile_converted(None, card.converted) == []
