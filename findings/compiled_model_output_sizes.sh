#!/usr/bin/env bash
# LiteRT's CompiledModel makes output buffers of four bytes for TFLite_Detection_PostProcess, unless it is asked first.
#
# ai-edge-litert 2.3.0: the operator's outputs have no shape in the file, as converters write it. create_output_buffers()
# then makes each of them 4 bytes large, where boxes of ten detections need 160, and says nothing. (Running with them
# writes behind their end; this script does not.) After get_output_tensor_details() has been called once, the buffers
# have the right sizes, and so has get_output_buffer_requirements(). An Interpreter has no such fault.
#
# Seen (x86-64, Python 3.11):
#   not asked: room for 10 boxes: no; required 4 bytes
#   asked before: room for 10 boxes: yes; required 160 bytes
# The script fails if one of these lines changes.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ai-edge-litert==2.3.0 'flatbuffers>=23.5' 'numpy>=1.23'
cat > sizes.py <<'PY'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator, Options
from flatbuffers import flexbuffers

N, CLASSES = 10, 3


def model():
    settings = flexbuffers.Builder()
    with settings.Map():
        for name, value in (("max_detections", N), ("max_classes_per_detection", 1), ("num_classes", CLASSES)):
            settings.Int(name, value)
        settings.Float("nms_score_threshold", 0.1)
        settings.Float("nms_iou_threshold", 0.5)
        for name in ("y_scale", "x_scale", "h_scale", "w_scale"):
            settings.Float(name, 10.0)
    anchors = np.full((N, 4), 0.5, np.float32)
    tensors = []
    for name, shape in (
        ("encodings", [1, N, 4]), ("scores", [1, N, CLASSES + 1]), ("anchors", [N, 4]),
        ("boxes", []), ("classes", []), ("values", []), ("count", []),
    ):  # fmt: skip
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, shape, schema.TensorType.FLOAT32
        tensor.buffer = 1 if name == "anchors" else 0
        tensors.append(tensor)
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, 2], [3, 4, 5, 6]
    operator.customOptions = list(bytes(settings.Finish()))
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = "TFLite_Detection_PostProcess", 1
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [operator], [0, 1], [3, 4, 5, 6]
    buffers = [schema.BufferT(), schema.BufferT()]
    buffers[1].data = list(anchors.tobytes())
    whole = schema.ModelT()
    whole.version, whole.operatorCodes, whole.subgraphs, whole.buffers = 3, [code], [graph], buffers
    builder = flatbuffers.Builder(4096)
    builder.Finish(whole.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


open("model.tflite", "wb").write(model())
for ask in (False, True):
    compiled = CompiledModel.from_file("model.tflite", options=Options(hardware_accelerators=HardwareAccelerator.CPU))
    if ask:
        compiled.get_output_tensor_details(next(iter(compiled.get_signature_list())))
    boxes = compiled.create_output_buffers(0)[0]
    try:
        room = "yes" if boxes.read(4 * N, np.float32).size == 4 * N else "no"
    except RuntimeError:
        room = "no"
    required = compiled.get_output_buffer_requirements(0, 0)["buffer_size"]
    print(f"{'asked before' if ask else 'not asked'}: room for {N} boxes: {room}; required {required} bytes")
PY
venv/bin/python sizes.py 2>log | grep 'asked' | tee seen || { tail log >&2; exit 1; }
diff seen - <<'EXPECTED'
not asked: room for 10 boxes: no; required 4 bytes
asked before: room for 10 boxes: yes; required 160 bytes
EXPECTED
