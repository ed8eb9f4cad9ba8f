#!/usr/bin/env bash
# Nine of the seventeen stock weight recipes of litert-quantizer leave a convolution in float32, and succeed.
#
# litert-quantizer 0.11.0, a float32 model of one CONV_2D (3x3, 64 channels): the recipes by channel shrink the file to
# 7-26 %; every blockwise (b32, b64) and every Hadamard (_hr) recipe writes it back at its full size, returns a result
# like any other, raises nothing and warns of nothing. Only the size tells. (These recipes are meant for the fully
# connected layers of language models; neither their names nor the result say so.)
#
# Seen (x86-64, Python 3.11), size of the result in percent of the source:
#   see EXPECTED below. The script fails if a line changes.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    litert-quantizer==0.11.0 ai-edge-litert==2.3.0 'flatbuffers>=23.5' 'numpy>=1.23'
cat > shrink.py <<'PY'
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from litert_quantizer import quantizer, recipe

CHANNELS = 64


def tensor(name, shape, buffer=0):
    made = schema.TensorT()
    made.name, made.shape, made.buffer, made.type = name, shape, buffer, schema.TensorType.FLOAT32
    return made


def entry(name, index):
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, index
    return made


def convolution():
    weights = np.random.default_rng(0).normal(size=(CHANNELS, 3, 3, CHANNELS)).astype(np.float32)
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.padding = schema.Padding.SAME
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, 2], [3]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.Conv2DOptions, options
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 1
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("image", [1, 16, 16, CHANNELS]),
        tensor("weights", list(weights.shape), 1),
        tensor("bias", [CHANNELS], 2),
        tensor("features", [1, 16, 16, CHANNELS]),
    ]
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [3]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = [entry("image", 0)], [entry("features", 3)]
    buffers = [schema.BufferT() for _ in range(3)]
    buffers[1].data = list(weights.tobytes())
    buffers[2].data = list(np.zeros(CHANNELS, np.float32).tobytes())
    whole = schema.ModelT()
    whole.version, whole.operatorCodes, whole.subgraphs = 3, [code], [graph]
    whole.buffers, whole.signatureDefs = buffers, [signature]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(whole.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


source = Path("convolution.tflite")
source.write_bytes(convolution())
for name in sorted(dir(recipe)):
    if name.startswith(("dynamic_", "weight_only_")):
        result = quantizer.Quantizer(str(source), getattr(recipe, name)()).quantize()
        print("size", name, f"{100 * len(result.quantized_model) / source.stat().st_size:.0f} %")
PY
venv/bin/python shrink.py 2>/dev/null | grep '^size' | tee seen
diff seen - <<'EXPECTED'
size dynamic_legacy_wi8_afp32 26 %
size dynamic_wi2b32_afp32 100 %
size dynamic_wi2b64_afp32 100 %
size dynamic_wi2c_afp32 7 %
size dynamic_wi2c_hr_afp32 100 %
size dynamic_wi4_afp32 14 %
size dynamic_wi4b32_afp32 100 %
size dynamic_wi4b64_afp32 100 %
size dynamic_wi4c_afp32 14 %
size dynamic_wi4c_hr_afp32 100 %
size dynamic_wi8_afp32 26 %
size dynamic_wi8b32_afp32 100 %
size dynamic_wi8b64_afp32 100 %
size dynamic_wi8c_afp32 26 %
size dynamic_wi8c_hr_afp32 100 %
size weight_only_wi4_afp32 14 %
size weight_only_wi8_afp32 26 %
EXPECTED
