#!/usr/bin/env bash
# LiteRT's CompiledModel for the CPU alone loads the GPU accelerator's library first, and its memory is the process's.
#
# ai-edge-litert 2.3.0: a model compiled with HardwareAccelerator.CPU. The environment registers every accelerator that it
# finds in the runtime's folder before the options of a model are looked at, so libLiteRtWebGpuAccelerator.so (19 MB) is
# loaded, relocated and asked, in a program that never names a GPU. Whoever takes the peak of memory or the time until the
# first inference for the model's reports the library's with it: a model of one addition seems to need megabytes more
# than with the Interpreter of the same wheel, which loads none. In C the environment option
# kLiteRtEnvOptionTagAutoRegisterAccelerators (24) limits what is registered; Python offers nothing of the kind.
#
# Seen (x86-64 Linux, Python 3.11):
#   Interpreter: the GPU accelerator's library is loaded: False
#   CompiledModel, CPU alone: the GPU accelerator's library is loaded: True; more than 2 MB of it in memory: True
# The script fails if one of these lines changes.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ai-edge-litert==2.3.0 'flatbuffers>=23.5' 'numpy>=1.23'
cat > look.py <<'PY'
import sys

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator, Options
from ai_edge_litert.interpreter import Interpreter

LIBRARY = "libLiteRtWebGpuAccelerator.so"


def addition():
    model, graph, operator, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    model.version, model.buffers, model.operatorCodes, model.subgraphs = 3, [schema.BufferT()], [code], [graph]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ADD
    code.version = 1
    graph.tensors = []
    for name in ("a", "b", "sum"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [1, 4], schema.TensorType.FLOAT32, 0
        graph.tensors.append(tensor)
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1], [2]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()
    graph.operators, graph.inputs, graph.outputs = [operator], [0, 1], [2]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def resident_kib():
    """Memory of the library's mappings, or None where it is not loaded (smaps of proc(5))."""
    inside, found = False, None
    for line in open("/proc/self/smaps"):
        if "-" in line.split(" ")[0] and not line[0].isupper():
            inside = LIBRARY in line
        elif inside and line.startswith("Rss:"):
            found = (found or 0) + int(line.split()[1])
    return found


open("addition.tflite", "wb").write(addition())
if sys.argv[1] == "interpreter":
    kept = Interpreter("addition.tflite")
    kept.allocate_tensors()
    print(f"Interpreter: the GPU accelerator's library is loaded: {resident_kib() is not None}")
else:
    kept = CompiledModel.from_file("addition.tflite", options=Options(hardware_accelerators=HardwareAccelerator.CPU))
    found = resident_kib()
    print(
        f"CompiledModel, CPU alone: the GPU accelerator's library is loaded: {found is not None}; more than 2 MB of it "
        f"in memory: {(found or 0) > 2048}"
    )
PY
for way in interpreter compiled; do
    venv/bin/python look.py "$way" 2>log | grep -v '^INFO' | tee -a seen || { tail log >&2; exit 1; }
done
diff seen - <<'EXPECTED'
Interpreter: the GPU accelerator's library is loaded: False
CompiledModel, CPU alone: the GPU accelerator's library is loaded: True; more than 2 MB of it in memory: True
EXPECTED
