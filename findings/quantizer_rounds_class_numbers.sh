#!/usr/bin/env bash
# The stock full-integer recipe of litert-quantizer stores class numbers at a scale: what calibration did not show is cut.
#
# litert-quantizer 0.11.0, recipe.static_wi8_ai8: a model that ends in TFLite_Detection_PostProcess (90 classes), calibrated
# with inputs on which classes up to 17 are found, as some dozens of photographs show. Its four float outputs become int8,
# and the class output gets the range 0…17: a clear detection of class 60 is read back as 17, and class 3 still as 3. No
# error, no warning; boxes and scores are nearly right, so pictures look as if the network had mistaken one thing for
# another. (The operator has no integer form: its outputs are floats that hold numbers of classes, not quantities.)
#
# Seen (x86-64, Python 3.11):
#   float32: class 3 is found as 3, class 60 as 60; the output is float32
#   int8: class 3 is found as 3, class 60 as 17; the output is int8
# The script fails if one of these lines changes.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    litert-quantizer==0.11.0 ai-edge-litert==2.3.0 'flatbuffers>=23.5' 'numpy>=1.23'
cat > classes.py <<'PY'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from flatbuffers import flexbuffers
from litert_quantizer import quantizer, recipe

BOXES, CLASSES = 4, 90


def options():
    settings = flexbuffers.Builder()
    with settings.Map():
        settings.Int("max_detections", BOXES)
        settings.Int("max_classes_per_detection", 1)
        settings.Int("detections_per_class", BOXES)
        settings.Bool("use_regular_nms", False)
        settings.Float("nms_score_threshold", 0.1)
        settings.Float("nms_iou_threshold", 0.5)
        settings.Int("num_classes", CLASSES)
        for name, scale in zip(("y_scale", "x_scale", "h_scale", "w_scale"), (10.0, 10.0, 5.0, 5.0)):
            settings.Float(name, scale)
    return bytes(settings.Finish())


def entry(name, index):
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, index
    return made


def model():
    places = (np.arange(BOXES) + 0.5) / BOXES
    anchors = np.stack([np.full(BOXES, 0.5), places, np.full(BOXES, 0.1), np.full(BOXES, 0.1)], 1).astype(np.float32)
    names = ("encodings", "scores", "anchors", "boxes", "classes", "values", "count", "raw")
    shapes = ([1, BOXES, 4], [1, BOXES, CLASSES + 1], [BOXES, 4], [1, BOXES, 4], [1, BOXES], [1, BOXES], [1])
    tensors = []
    for name, shape in zip(names, (*shapes, [1, BOXES, CLASSES + 1])):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, shape, schema.TensorType.FLOAT32
        tensor.buffer = 1 if name == "anchors" else 0
        tensors.append(tensor)
    logistic, last = schema.OperatorT(), schema.OperatorT()
    logistic.opcodeIndex, logistic.inputs, logistic.outputs = 0, [7], [1]
    last.opcodeIndex, last.inputs, last.outputs = 1, [0, 1, 2], [3, 4, 5, 6]
    last.customOptions = list(options())
    codes = [schema.OperatorCodeT(), schema.OperatorCodeT()]
    codes[0].builtinCode = codes[0].deprecatedBuiltinCode = schema.BuiltinOperator.LOGISTIC
    codes[1].builtinCode = codes[1].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    codes[1].customCode, codes[0].version, codes[1].version = "TFLite_Detection_PostProcess", 1, 1
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = tensors, [logistic, last]
    graph.inputs, graph.outputs = [0, 7], [3, 4, 5, 6]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs = [entry("encodings", 0), entry("raw", 7)]
    signature.outputs = [entry(name, 3 + k) for k, name in enumerate(names[3:7])]
    buffers = [schema.BufferT(), schema.BufferT()]
    buffers[1].data = list(anchors.tobytes())
    whole = schema.ModelT()
    whole.version, whole.operatorCodes, whole.subgraphs = 3, codes, [graph]
    whole.buffers, whole.signatureDefs = buffers, [signature]
    builder = flatbuffers.Builder(4096)
    builder.Finish(whole.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def picture(*shown):
    raw = np.full((1, BOXES, CLASSES + 1), -6.0, np.float32)
    for place, found in enumerate(shown):
        raw[0, place, found + 1] = 4.0  # column 0 is background
    return {"encodings": np.zeros((1, BOXES, 4), np.float32), "raw": raw}


def look(content, shown):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        value = next(v for name, v in picture(shown).items() if v.shape == tuple(detail["shape"]))
        scale, zero = detail["quantization"]
        stored = value if not scale else np.clip(np.round(value / scale) + zero, -128, 127).astype(detail["dtype"])
        interpreter.set_tensor(detail["index"], stored)
    interpreter.invoke()
    details = interpreter.get_output_details()
    (scale, zero), found = details[1]["quantization"], interpreter.get_tensor(details[1]["index"]).ravel()[0]
    return round(float(found) if not scale else scale * (float(found) - zero)), np.dtype(details[1]["dtype"]).name


float32 = model()
open("model.tflite", "wb").write(float32)
worker = quantizer.Quantizer("model.tflite", recipe.static_wi8_ai8())
ranges = worker.calibrate({"serving_default": [picture(0, 3, 9, 17), picture(17, 2, 5, 0)]})
int8 = bytes(worker.quantize(ranges).quantized_model)
for name, content in (("float32", float32), ("int8", int8)):
    (three, kind), (sixty, _) = look(content, 3), look(content, 60)
    print(f"{name}: class 3 is found as {three}, class 60 as {sixty}; the output is {kind}")
PY
venv/bin/python classes.py 2>log | grep '^float32\|^int8' | tee seen || { tail log >&2; exit 1; }
diff seen - <<'EXPECTED'
float32: class 3 is found as 3, class 60 as 60; the output is float32
int8: class 3 is found as 3, class 60 as 17; the output is int8
EXPECTED
