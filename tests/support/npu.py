"""A stand-in for Qualcomm's compiler: it prints what the real one printed, and writes a file such as it writes."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
from flatbuffers import flexbuffers

from harness.npu.vendor import LICENSE_FILE, NEEDED, PLUGINS, PROGRAM, Vendor
from harness.tflite import reader, schema
from harness.tflite.nodes import read_nodes
from harness.tflite.support.predict import partitions
from tests.support.paths import REPOSITORY

LOGS = REPOSITORY / "tests" / "npu" / "logs"
PLAYED = f"""#!{sys.executable}
import os
import shutil
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from tests.support.npu import play
sys.exit(play(dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:])))
"""
RAW_OUTPUTS = LOGS.parent / "raw_outputs.npz"
"""What the HTP backend gave for the first four images of the bundled example, full integer, for SM8650."""
ALIGNMENT = 16


def recorded(name: str, soc: str = "SM8650") -> tuple[str, str]:
    """Standard error and standard output of a compilation."""
    return tuple(
        (LOGS / f"{name}-{soc}.{ending}").read_text(encoding="utf-8", errors="replace")
        for ending in ("err", "out")
    )


def make_vendor(folder: Path) -> Vendor:
    """Lay out what the real packages have, with empty libraries and the stand-in as the program."""
    qnn, litert = folder / "onnxruntime_qnn", folder / "ai_edge_litert"
    for place in (qnn, litert / PLUGINS, (litert / PROGRAM).parent):
        place.mkdir(parents=True, exist_ok=True)
    for name in NEEDED:
        (qnn / name).touch()
    (qnn / LICENSE_FILE).write_text("A licence.", encoding="utf-8")
    program = litert / PROGRAM
    program.write_text(PLAYED, encoding="utf-8")
    program.chmod(0o755)
    return Vendor(qnn, "2.7.0", litert, "2.3.0")


def play(arguments: dict[str, str]) -> int:
    """Print the recorded log of a model, and leave the compiled file that it speaks of."""
    from harness.npu.compiler_log import parse

    model = Path(arguments["model"])
    err, out = recorded(model.stem, arguments["soc_model"])
    sys.stderr.write(err)
    sys.stdout.write(out)
    made = Path(arguments["o"])
    made.touch()
    log = parse(err, out)
    if "Serialized a model" not in err:
        return 3
    made.write_bytes(
        compiled_like(model.read_bytes(), {one.index for one in log.refused}, arguments["soc_model"])
    )
    return 0


def compiled_like(data: bytes, refused: set[int], soc: str, binary: bytes = b"a vendor's binary") -> bytes:
    """Put a DISPATCH_OP in the place of each partition; custom operators and `refused` stay.

    LiteRT divides a graph in more parts than TFLite's delegates do: the number of them is not the real one.
    """
    path = Path("model.tflite")
    nodes = read_nodes(reader.read_graph(data, path), data, path)
    taken = [node.index not in refused and not node.custom for node in nodes]
    parts = partitions(nodes, taken)
    classes, model = schema.writable_model(data, "testing")
    graph = model.subgraphs[0]
    code = classes.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = classes.BuiltinOperator.CUSTOM
    code.customCode = b"DISPATCH_OP"
    model.operatorCodes.append(code)
    first = {min(part): (number, part) for number, part in enumerate(parts)}
    where = {index: number for number, part in enumerate(parts) for index in part}

    def dispatch(number, part, offset):
        one = classes.OperatorT()
        made = [t for k in sorted(part) for t in graph.operators[k].outputs]
        read = [t for k in sorted(part) for t in graph.operators[k].inputs]
        outside = {
            t for k, o in enumerate(graph.operators) if where.get(k) != number for t in o.inputs
        } | set(graph.outputs)
        fixed = {t for t in read if model.buffers[graph.tensors[t].buffer].data is not None}
        one.opcodeIndex = len(model.operatorCodes) - 1
        one.inputs = list(dict.fromkeys(t for t in read if t not in made and t not in fixed and t >= 0))
        one.outputs = [t for t in made if t in outside]
        options = {
            "bytecode_size": len(binary),
            "bytecode_offset": offset,
            "name": f"qnn_partition_{number}",
        }
        one.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(options)), np.uint8)
        return one

    originals = list(graph.operators)
    stamp = classes.MetadataT()
    stamp.name, stamp.buffer = b"LiteRtStamp", len(model.buffers)
    buffer = classes.BufferT()
    buffer.data = np.frombuffer(b"Qualcomm".ljust(125, b"\0") + soc.encode().ljust(125, b"\0"), np.uint8)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), stamp]

    def packed(offset):
        import flatbuffers

        replaced = [
            dispatch(*first[k], offset) if k in first else one
            for k, one in enumerate(originals)
            if k in first or k not in where
        ]
        graph.operators, built = replaced, flatbuffers.Builder()
        built.Finish(model.Pack(built), b"TFL3")
        graph.operators = originals
        return bytes(built.Output())

    size = -(-len(packed(1 << 40)) // ALIGNMENT) * ALIGNMENT
    return packed(size).ljust(size, b"\0") + binary


def install_stand_in(folder: Path, monkeypatch) -> Vendor:
    """Put the stand-ins of the compiler, of onnxruntime-qnn and of ONNX Runtime where the real ones are looked for."""
    vendor = make_vendor(folder)
    stand_ins = REPOSITORY / "tests" / "stand_in" / "qualcomm"
    shutil.copy(stand_ins / "onnxruntime.py", folder)
    shutil.copy(stand_ins / "onnxruntime_qnn.py", vendor.qnn / "__init__.py")
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), before])))
    monkeypatch.setenv("HARNESS_RECORDED_OUTPUTS", str(RAW_OUTPUTS))
    monkeypatch.setattr("harness.npu.vendor.PROGRAM", str(vendor.program))
    config = folder / "config" / "ondevice-harness"
    config.mkdir(parents=True)
    (config / "vendor-licenses.toml").write_text('qualcomm = "any"\n', encoding="utf-8")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    return vendor
