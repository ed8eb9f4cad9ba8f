"""The operator TFLite_Detection_PostProcess by itself, run by the interpreter: what host NMS is held against."""

import flatbuffers
import numpy as np
from flatbuffers import flexbuffers

try:
    from ai_edge_litert import schema_py_generated as s
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    s = None

SCALES = {"y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}


def _options(settings, n_classes):
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Int("max_detections", settings.max_detections)
        builder.Int("max_classes_per_detection", settings.classes_per_detection)
        builder.Int("detections_per_class", settings.detections_per_class)
        builder.Bool("use_regular_nms", settings.kind == "regular")
        builder.Float("nms_score_threshold", settings.score_threshold)
        builder.Float("nms_iou_threshold", settings.iou_threshold)
        builder.Int("num_classes", n_classes)
        for key, value in SCALES.items():
            builder.Float(key, value)
    return np.frombuffer(bytes(builder.Finish()), np.uint8)


def model_of_operator(n_boxes, n_columns, n_classes, anchors, settings):
    """Return a .tflite that consists of the operator only; box encodings and scores are its inputs."""
    model, graph = s.ModelT(), s.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [s.BufferT(), s.BufferT()]
    model.buffers[1].data = np.frombuffer(anchors.astype(np.float32).tobytes(), np.uint8)
    code = s.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = s.BuiltinOperator.CUSTOM
    code.customCode, code.version, model.operatorCodes = "TFLite_Detection_PostProcess", 1, [code]
    shapes = [[1, n_boxes, 4], [1, n_boxes, n_columns], [n_boxes, 4], [], [], [], []]
    graph.tensors = []
    for index, shape in enumerate(shapes):
        tensor = s.TensorT()
        tensor.name, tensor.shape, tensor.type = f"t{index}", shape, s.TensorType.FLOAT32
        tensor.buffer = int(index == 2)
        graph.tensors.append(tensor)
    operator = s.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3, 4, 5, 6]
    operator.customOptions = _options(settings, n_classes)
    graph.operators, graph.inputs, graph.outputs = [operator], [0, 1], [3, 4, 5, 6]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def run_operator(encodings, scores, n_classes, anchors, settings, threads=None):
    """Run the operator on heads; return boxes y, x, y, x [K, 4], classes [K], scores [K] as counted by it."""
    content = model_of_operator(*scores.shape, n_classes, anchors, settings)
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), (encodings, scores), strict=True):
        interpreter.set_tensor(detail["index"], values[None].astype(np.float32))
    interpreter.invoke()
    boxes, classes, found, count = (
        interpreter.get_tensor(detail["index"]).copy() for detail in interpreter.get_output_details()
    )
    n = int(count[0]) * (settings.classes_per_detection if settings.kind == "fast" else 1)
    return [boxes[0, :n], classes[0, :n].astype(int), found[0, :n]]
