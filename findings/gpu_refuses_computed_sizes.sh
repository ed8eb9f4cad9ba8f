#!/usr/bin/env bash
# One reshape to a shape that an operator packs, of constants even, keeps a whole model off LiteRT's GPU accelerator.
#
# ai-edge-litert 2.3.0, CompiledModel with GPU | CPU: a convolution and a reshape. Where the shape is a constant, or the
# output of SHAPE, or follows from it through MUL, the GPU takes the model. Where it comes from PACK of three constants,
# as TensorFlow's and PyTorch's exporters write reshapes, or from ADD, there is no model at all: from_file raises
# "Failed to modify graph with delegate", although the CPU is allowed beside the GPU and the convolution could run there.
# Which operators keep a shape known, and which do not, is written nowhere.
#
# SwiftShader, a Vulkan driver that computes on the CPU, stands in for the card (from npm's @sparticuz/chromium).
#
# Seen (x86-64, Python 3.11):
#   shape by constant: taken
#   shape by SHAPE: taken
#   shape by MUL: taken
#   shape by PACK: refused
#   shape by ADD: refused
# The script fails if one of these lines changes.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ai-edge-litert==2.3.0 'flatbuffers>=23.5' 'numpy>=1.23' brotli
npm pack --silent @sparticuz/chromium@153.0.0 >/dev/null
tar xzf sparticuz-chromium-*.tgz package/bin/swiftshader.tar.br
venv/bin/python - <<'PY'
import io
import tarfile

import brotli

packed = brotli.decompress(open("package/bin/swiftshader.tar.br", "rb").read())
tarfile.open(fileobj=io.BytesIO(packed)).extractall("driver")
PY
cat > shapes.py <<'PY'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator, Options

SIDE, CHANNELS = 8, 4
SHAPE = [1, SIDE, SIDE, CHANNELS]
FLOAT32, INT32 = schema.TensorType.FLOAT32, schema.TensorType.INT32


class Graph:
    def __init__(self):
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph.tensors, self.graph.operators = [], []

    def tensor(self, shape, kind, values=None):
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = f"t{len(self.graph.tensors)}", list(shape), kind, 0
        if values is not None:
            self.model.buffers.append(schema.BufferT())
            self.model.buffers[-1].data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            made.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def integers(self, values):
        values = np.asarray(values, np.int32)
        return self.tensor(values.shape, INT32, values)

    def operator(self, name, inputs, shape, kind, options):
        code, made = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        self.model.operatorCodes.append(code)
        made.opcodeIndex, made.inputs = len(self.model.operatorCodes) - 1, inputs
        made.outputs = [self.tensor(shape, kind)]
        made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        made.builtinOptions = options
        self.graph.operators.append(made)
        return made.outputs[0]


def network(by):
    made = Graph()
    image = made.tensor(SHAPE, FLOAT32)
    weights = made.tensor([CHANNELS, 1, 1, CHANNELS], FLOAT32, np.ones((CHANNELS, 1, 1, CHANNELS), np.float32))
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    bias = made.tensor([CHANNELS], FLOAT32, np.zeros(CHANNELS, np.float32))
    features = made.operator("CONV_2D", [image, weights, bias], SHAPE, FLOAT32, options)
    wanted = shape_by(made, by, features)
    made.graph.inputs = [image]
    made.graph.outputs = [made.operator("RESHAPE", [features, wanted], SHAPE, FLOAT32, schema.ReshapeOptionsT())]
    builder = flatbuffers.Builder(0)
    builder.Finish(made.model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def shape_by(made, by, features):
    if by == "constant":
        return made.integers(SHAPE)
    if by == "PACK":
        options = schema.PackOptionsT()
        options.valuesCount, options.axis = 4, 0
        return made.operator("PACK", [made.integers(n) for n in SHAPE], [4], INT32, options)
    options = schema.ShapeOptionsT()
    options.outType = INT32
    shape = made.operator("SHAPE", [features], [4], INT32, options)
    if by == "SHAPE":
        return shape
    neutral, options = ([1] * 4, schema.MulOptionsT()) if by == "MUL" else ([0] * 4, schema.AddOptionsT())
    return made.operator(by, [shape, made.integers(neutral)], [4], INT32, options)


where = HardwareAccelerator.GPU | HardwareAccelerator.CPU
for by in ("constant", "SHAPE", "MUL", "PACK", "ADD"):
    open("network.tflite", "wb").write(network(by))
    try:
        CompiledModel.from_file("network.tflite", options=Options(hardware_accelerators=where))
        answer = "taken"
    except RuntimeError as error:
        answer = "refused" if "Failed to modify graph with delegate" in str(error) else str(error)
    print(f"shape by {by}: {answer}")
PY
export LD_LIBRARY_PATH="$PWD/driver" VK_ICD_FILENAMES="$PWD/driver/vk_swiftshader_icd.json"
export VK_DRIVER_FILES="$VK_ICD_FILENAMES"
venv/bin/python shapes.py 2>log | grep '^shape by' | tee seen || { tail log >&2; exit 1; }
grep -q 'Selected adapter' log || { echo "no adapter was found" >&2; exit 1; }
diff seen - <<'EXPECTED'
shape by constant: taken
shape by SHAPE: taken
shape by MUL: taken
shape by PACK: refused
shape by ADD: refused
EXPECTED
