#!/usr/bin/env bash
# Asked for an NPU that is not there, LiteRT's CompiledModel runs the model on its own CPU kernels, and raises nothing.
#
# ai-edge-litert 2.3.0 with openvino 2026.3.1, a model of one LOGISTIC, NPU | CPU allowed, IntelOpenVinoOptions with the
# backend NPU on a computer without one: from_file and run_by_index succeed, the outputs are those of the CPU to the bit.
# Only a line on standard error tells: "0 compiler plugins were applied successfully". With the backend CPU the same line
# says 1, and OpenVINO runs it.
#
# Seen (x86-64 without an Intel NPU, Python 3.11):
#   backend CPU: 1 plugins applied, no exception
#   backend NPU: 0 plugins applied, no exception, outputs as without an NPU: True
# The script fails if one of these lines changes (as it does where there is an NPU).
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    ai-edge-litert==2.3.0 openvino==2026.3.1 'flatbuffers>=23.5' 'numpy>=1.23'
cat > run.py <<'PY'
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator, IntelOpenVinoOptions, Options

N = 64


def model():
    tensors = []
    for name in ("input", "output"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [1, N], schema.TensorType.FLOAT32, 0
        tensors.append(tensor)
    code, operator, graph, whole = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT(), schema.ModelT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.LOGISTIC
    code.version = 1
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [operator], [0], [1]
    whole.version, whole.operatorCodes, whole.subgraphs = 3, [code], [graph]
    whole.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(whole.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def outputs(options):
    compiled = CompiledModel.from_file("model.tflite", options=options)
    begin, end = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
    begin[0].write(np.linspace(-4, 4, N, dtype=np.float32)[None])
    compiled.run_by_index(0, begin, end)
    return end[0].read(N, np.float32)


open("model.tflite", "wb").write(model())
backend = getattr(IntelOpenVinoOptions.GRAPH_BACKEND, sys.argv[1])
accelerators = HardwareAccelerator.NPU | HardwareAccelerator.CPU
options = Options(hardware_accelerators=accelerators, intel_openvino_options=IntelOpenVinoOptions(graph_backend=backend))
found = outputs(options)
print(bool(np.array_equal(found, outputs(Options(hardware_accelerators=HardwareAccelerator.CPU)))))
PY
for backend in CPU NPU; do
    venv/bin/python run.py "$backend" >out 2>log || { tail log >&2; exit 1; }
    line="backend $backend: $(grep -o '[0-9]* compiler plugins were applied' log | head -n 1 | cut -d' ' -f1) plugins applied"
    [ "$backend" = CPU ] && echo "$line, no exception" \
        || echo "$line, no exception, outputs as without an NPU: $(grep -o 'True\|False' out | tail -n 1)"
done | tee seen
diff seen - <<'EXPECTED'
backend CPU: 1 plugins applied, no exception
backend NPU: 0 plugins applied, no exception, outputs as without an NPU: True
EXPECTED
