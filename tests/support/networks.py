"""Small networks, written with the schema's own classes, to read, edit and run in tests."""

import flatbuffers
import numpy as np
import pytest
from flatbuffers import flexbuffers

try:
    from ai_edge_litert import schema_py_generated as s
except ImportError:  # the reader itself also works with the package `tflite`, which cannot write
    s = None

FLOAT32, FLOAT16, INT32, UINT8, INT8 = 0, 1, 2, 3, 9
DTYPES = {
    np.dtype("float32"): 0,
    np.dtype("float16"): 1,
    np.dtype("int32"): 2,
    np.dtype("uint8"): 3,
    np.dtype("int8"): 9,
}


class Network:
    """Builds one model; `add_*` methods return the index of the tensor they make."""

    def __init__(self, seed: int = 1) -> None:
        if s is None:
            pytest.skip(
                "small networks are written with ai-edge-litert's schema classes, which are not installed"
            )
        self.random = np.random.default_rng(seed)
        self.model, self.graph = s.ModelT(), s.SubGraphT()
        self.model.version, self.model.description = 3, "harness test"
        self.model.buffers, self.model.operatorCodes, self.model.metadata = [s.BufferT()], [], []
        self.graph.tensors, self.graph.operators, self.graph.inputs, self.graph.outputs = [], [], [], []
        self.model.subgraphs = [self.graph]

    def tensor(self, name, shape, dtype=FLOAT32, data=None, scale=None, zero_point=0):
        tensor = s.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), dtype, 0
        if data is not None:
            buffer = s.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        if scale is not None:
            tensor.quantization = s.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, name, values, **quantization):
        return self.tensor(name, values.shape, DTYPES[values.dtype], values, **quantization)

    def input(self, shape, dtype=FLOAT32, name="image", **quantization):
        self.graph.inputs.append(self.tensor(name, shape, dtype, **quantization))
        return self.graph.inputs[-1]

    def operator(self, name, inputs, outputs, options=None, options_type=0, custom_options=b""):
        code = s.OperatorCodeT()
        builtin = getattr(s.BuiltinOperator, name, None)
        code.builtinCode = s.BuiltinOperator.CUSTOM if builtin is None else builtin
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        code.customCode = name if builtin is None else None
        self.model.operatorCodes.append(code)
        operator = s.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        operator.builtinOptions, operator.builtinOptionsType = options, options_type
        operator.customOptions = np.frombuffer(custom_options, np.uint8) if custom_options else None
        self.graph.operators.append(operator)
        return outputs[0]

    def shape(self, index):
        return self.graph.tensors[index].shape

    def weights(self, *shape):
        return self.random.normal(0, 0.3, shape).astype(np.float32)

    def conv(self, source, channels, kernel=3, stride=2, name="conv", stored="float32"):
        """Add a CONV_2D with ReLU6; `stored="float16"` keeps the weights as float16 behind a DEQUANTIZE."""
        batch, height, width, depth = self.shape(source)
        values = self.weights(channels, kernel, kernel, depth)
        filters = self.constant(f"{name}/w", values.astype(stored))
        if stored == "float16":
            filters = self.operator("DEQUANTIZE", [filters], [self.tensor(f"{name}/w32", values.shape)])
        bias = self.constant(f"{name}/b", self.weights(channels))
        options = s.Conv2DOptionsT()
        options.padding, options.strideH, options.strideW = s.Padding.SAME, stride, stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = s.ActivationFunctionType.RELU6
        output = self.tensor(name, [batch, -(-height // stride), -(-width // stride), channels])
        return self.operator(
            "CONV_2D", [source, filters, bias], [output], options, s.BuiltinOptions.Conv2DOptions
        )

    def depthwise(self, source, name="depthwise"):
        depth = self.shape(source)[3]
        filters = self.constant(f"{name}/w", self.weights(1, 3, 3, depth))
        bias = self.constant(f"{name}/b", self.weights(depth))
        options = s.DepthwiseConv2DOptionsT()
        options.padding, options.strideH, options.strideW, options.depthMultiplier = s.Padding.SAME, 1, 1, 1
        options.dilationHFactor = options.dilationWFactor = 1
        output = self.tensor(name, self.shape(source))
        return self.operator(
            "DEPTHWISE_CONV_2D",
            [source, filters, bias],
            [output],
            options,
            s.BuiltinOptions.DepthwiseConv2DOptions,
        )

    def arithmetic(self, name, source, value):
        options = getattr(s, {"MUL": "MulOptionsT", "SUB": "SubOptionsT", "DIV": "DivOptionsT"}[name])()
        options_type = getattr(
            s.BuiltinOptions, {"MUL": "MulOptions", "SUB": "SubOptions", "DIV": "DivOptions"}[name]
        )
        other = self.constant(f"{name}/c", np.array([value], np.float32))
        output = self.tensor(name, self.shape(source))
        return self.operator(name, [source, other], [output], options, options_type)

    def logistic(self, source):
        return self.operator("LOGISTIC", [source], [self.tensor("logistic", self.shape(source))])

    def reshape(self, source, shape, name):
        options = s.ReshapeOptionsT()
        options.newShape = list(shape)
        target = self.constant(f"{name}/shape", np.array(shape, np.int32))
        output = self.tensor(name, shape)
        return self.operator("RESHAPE", [source, target], [output], options, s.BuiltinOptions.ReshapeOptions)

    def postprocess(self, boxes, scores, n_classes, order=(0, 1, 2, 3), max_detections=10):
        """Add TFLite_Detection_PostProcess; its outputs are given as the model's in `order`, without shapes."""
        anchors = self.constant("anchors", np.abs(self.weights(self.shape(boxes)[1], 4)) + 0.1)
        outputs = [self.tensor(f"TFLite_Detection_PostProcess:{i}", []) for i in range(4)]
        self.operator(
            "TFLite_Detection_PostProcess",
            [boxes, scores, anchors],
            outputs,
            custom_options=postprocess_options(n_classes, max_detections),
        )
        self.graph.outputs = [outputs[place] for place in order]

    def metadata(self, name, content):
        entry, buffer = s.MetadataT(), s.BufferT()
        buffer.data = np.frombuffer(content, np.uint8)
        self.model.buffers.append(buffer)
        entry.name, entry.buffer = name, len(self.model.buffers) - 1
        self.model.metadata.append(entry)

    def signature(self):
        """Name the inputs and outputs, as the quantizer wants them."""
        signature = s.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = "serving_default", 0
        for field, indices in (("inputs", self.graph.inputs), ("outputs", self.graph.outputs)):
            maps = []
            for index in indices:
                entry = s.TensorMapT()
                entry.name, entry.tensorIndex = self.graph.tensors[index].name, index
                maps.append(entry)
            setattr(signature, field, maps)
        self.model.signatureDefs = [signature]

    def bytes(self):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def postprocess_options(n_classes, max_detections=10):
    """Return the operator's options as TensorFlow's exporter writes them."""
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Int("max_detections", max_detections)
        builder.Int("max_classes_per_detection", 1)
        builder.Int("detections_per_class", 100)
        builder.Bool("use_regular_nms", False)
        builder.Float("nms_score_threshold", 1e-8)
        builder.Float("nms_iou_threshold", 0.6)
        builder.Int("num_classes", n_classes)
        for key, value in (("y_scale", 10.0), ("x_scale", 10.0), ("h_scale", 5.0), ("w_scale", 5.0)):
            builder.Float(key, value)
    return bytes(builder.Finish())


def detector(n_classes=90, order=(0, 1, 2, 3), postprocess=True, stored="float32", first=None, size=(32, 48)):
    """Return a small SSD: four convolutions, two heads, PostProcess unless told otherwise."""
    network = Network()
    source = network.input([1, *size, 3])
    if first:
        source = network.arithmetic(*first[:1], source, first[1])
    body = network.depthwise(network.conv(source, 32, name="first", stored=stored))
    body = network.conv(body, 64, name="second", stored=stored)
    n = network.shape(body)[1] * network.shape(body)[2]
    boxes = network.reshape(
        network.conv(body, 4, stride=1, name="boxes", stored=stored), [1, n, 4], "raw_boxes"
    )
    scores = network.conv(body, n_classes + 1, stride=1, name="scores", stored=stored)
    scores = network.logistic(network.reshape(scores, [1, n, n_classes + 1], "raw_scores"))
    if postprocess:
        network.postprocess(boxes, scores, n_classes, order)
    else:
        network.graph.outputs = [boxes, scores]
    network.signature()
    return network
