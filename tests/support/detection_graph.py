"""`frozen_inference_graph.pb` as the Object Detection API's exporter writes it, rebuilt from a trained SSD's .tflite.

Pictures are resized in a loop (`Preprocessor/map/while`), boxes decoded and suppressed class by class in another
(`Postprocessor/BatchMultiClassNonMaxSuppression/map/while`), with TensorFlow 1's control flow and the API's names.
"""

from contextlib import contextmanager

import numpy as np
from ai_edge_litert import schema_py_generated as s

from harness.tflite.anchors import find_anchors

SCALES = (10.0, 10.0, 5.0, 5.0)
SCORE, IOU, MOST = 0.05, 0.6, 50
_RELU6, _SAME = 3, 0


def inference_graph(tf, path, anchors=None):
    """Return the GraphDef of an SSD of convolutions; its anchors are those of the file, or `anchors` (center-size)."""
    network = _Network(tf, path)
    corners = _corners(find_anchors(path) if anchors is None else anchors)
    graph = tf.Graph()
    with control_flow_of_tensorflow_1(tf), graph.as_default():
        image = tf.compat.v1.placeholder(tf.uint8, [None, None, None, 3], name="image_tensor")
        prepared = _prepared(tf, tf.cast(image, tf.float32, name="ToFloat"), network.size)
        boxes, logits = network.heads(prepared)
        with tf.name_scope("Concatenate"):
            halves = [tf.constant(half) for half in np.array_split(corners, 2)]
            own = tf.concat(halves, 0, name="concat")
        _suppressed(tf, boxes, logits, own)
    return graph.as_graph_def()


@contextmanager
def control_flow_of_tensorflow_1(tf):
    """Build loops of Enter, Switch and Exit, as all graphs of the API have them."""
    tf.compat.v1.disable_control_flow_v2()
    try:
        yield
    finally:
        tf.compat.v1.enable_control_flow_v2()


def _corners(anchors):
    half = anchors[:, 2:] / 2
    return np.concatenate([anchors[:, :2] - half, anchors[:, :2] + half], axis=1).astype(np.float32)


def _prepared(tf, pictures, size):
    with tf.name_scope("Preprocessor"):
        resized = tf.map_fn(
            lambda picture: tf.compat.v1.image.resize_images(picture, size), pictures, dtype=tf.float32
        )
        return tf.subtract(tf.multiply(2.0 / 255.0, resized, name="mul"), 1.0, name="sub")


class _Network:
    """The operators of a .tflite up to its heads, made again in TensorFlow."""

    def __init__(self, tf, path):
        self.tf = tf
        self.model = s.ModelT.InitFromObj(s.Model.GetRootAs(path.read_bytes(), 0))
        self.graph = self.model.subgraphs[0]
        self.names = {v: k for k, v in s.BuiltinOperator.__dict__.items() if isinstance(v, int)}
        self.size = [int(n) for n in self.graph.tensors[self.graph.inputs[0]].shape[1:3]]

    def heads(self, image):
        tf, values = self.tf, {int(self.graph.inputs[0]): image}
        small = tf.compat.v1.Assert(tf.shape(image)[1] >= 33, ["image size must at least be 33"])
        for operator in self.graph.operators:
            code = self.model.operatorCodes[operator.opcodeIndex]
            name = self.names[max(code.builtinCode, code.deprecatedBuiltinCode)]
            if name == "CUSTOM":
                boxes, scores = (values[int(index)] for index in operator.inputs[:2])
                squeezed = tf.squeeze(tf.expand_dims(boxes, 2), axis=2, name="Squeeze")
                return squeezed, tf.identity(scores, name="concat_1")
            with tf.control_dependencies([small]):
                values[int(operator.outputs[0])] = self._made(name, operator, values)
        raise AssertionError("no post-processing")

    def _made(self, name, operator, values):
        tf, options = self.tf, operator.builtinOptions
        inputs = [values.get(int(index)) for index in operator.inputs]
        if name in {"CONV_2D", "DEPTHWISE_CONV_2D"}:
            return self._convolution(name, operator, inputs[0])
        if name == "RESHAPE":  # the batch is open in such graphs, and its size computed
            shape = [int(n) for n in self.graph.tensors[operator.outputs[0]].shape]
            return tf.reshape(inputs[0], tf.stack([tf.shape(inputs[0])[0], -1, *shape[2:]]))
        if name == "CONCATENATION":
            return tf.concat(inputs, options.axis)
        if name == "ADD":
            return tf.add(*inputs)
        assert name == "LOGISTIC"
        return inputs[0]  # the API applies it in its post-processing

    def _convolution(self, name, operator, image):
        tf, options = self.tf, operator.builtinOptions
        weights, bias = (self._constant(int(index)) for index in operator.inputs[1:])
        strides = [1, options.strideH, options.strideW, 1]
        padding = "SAME" if options.padding == _SAME else "VALID"
        if name == "CONV_2D":
            made = tf.nn.conv2d(image, weights.transpose(1, 2, 3, 0), strides, padding)
        else:
            made = tf.nn.depthwise_conv2d(image, weights.transpose(1, 2, 3, 0), strides, padding)
        made = tf.nn.bias_add(made, bias)
        if options.fusedActivationFunction == _RELU6:
            return tf.nn.relu6(made)
        return self._clipped(made, self.graph.tensors[operator.outputs[0]].quantization)

    def _clipped(self, made, stated):
        """Keep an integer model's activation, which stands in the range of its results alone."""
        if stated is None or stated.scale is None or not len(stated.scale):
            return made
        low, high = ((end - stated.zeroPoint[0]) * stated.scale[0] for end in (0, 255))
        return self.tf.clip_by_value(made, float(low), float(high))

    def _constant(self, index):
        tensor = self.graph.tensors[index]
        data = self.model.buffers[tensor.buffer].data.tobytes()
        stated = tensor.quantization
        if stated is None or stated.scale is None or not len(stated.scale):
            return np.frombuffer(data, "<f4").reshape(tensor.shape)
        kind = {2: "<i4", 3: "u1", 9: "i1"}[tensor.type]
        whole = np.frombuffer(data, kind).reshape(tensor.shape).astype(np.float64)
        return ((whole - stated.zeroPoint[0]) * stated.scale[0]).astype(np.float32)


def _suppressed(tf, encodings, logits, anchors):
    with tf.name_scope("Postprocessor"):
        tiled = tf.tile(tf.expand_dims(anchors, 0), tf.stack([tf.shape(encodings)[0], 1, 1]))
        boxes = _decoded(tf, tf.reshape(tiled, [-1, 4]), tf.reshape(encodings, [-1, 4]))
        boxes = tf.reshape(boxes, tf.stack([tf.shape(encodings)[0], -1, 4]))
        scores = tf.sigmoid(tf.divide(logits, 1.0, name="scale_logits"), name="convert_scores")
        scores = tf.slice(scores, [0, 0, 1], [-1, -1, -1])
        with tf.name_scope("BatchMultiClassNonMaxSuppression"):
            kinds = (tf.float32, tf.float32, tf.float32, tf.float32)
            found = tf.map_fn(lambda one: _best(tf, *one), (boxes, scores), dtype=kinds)
    for name, value in zip(("boxes", "scores", "classes"), found[:3], strict=True):
        tf.identity(value + 1.0 if name == "classes" else value, name=f"detection_{name}")
    tf.identity(found[3], name="num_detections")


def _decoded(tf, anchors, encodings):
    with tf.name_scope("Decode"):
        with tf.name_scope("get_center_coordinates_and_sizes"):
            low_y, low_x, high_y, high_x = tf.unstack(tf.transpose(anchors), name="unstack")
            height, width = high_y - low_y, high_x - low_x
            y, x = low_y + height / 2.0, low_x + width / 2.0
        parts = tf.unstack(tf.transpose(encodings), name="unstack")
        dy, dx, dh, dw = (part / scale for part, scale in zip(parts, SCALES, strict=True))
        half_h, half_w = tf.exp(dh) * height / 2.0, tf.exp(dw) * width / 2.0
        y, x = dy * height + y, dx * width + x
        return tf.transpose(tf.stack([y - half_h, x - half_w, y + half_h, x + half_w]))


def _best(tf, boxes, scores):
    """Suppress class by class, then keep the best of all."""
    with tf.name_scope("MultiClassNonMaxSuppression"):
        kept = []
        for place in range(scores.shape[-1]):
            own = scores[:, place]
            most = tf.minimum(MOST, tf.shape(boxes)[0])
            index = tf.image.non_max_suppression(boxes, own, most, IOU, SCORE)
            label = tf.fill([tf.shape(index)[0]], float(place))
            kept.append((tf.gather(boxes, index), tf.gather(own, index), label))
        boxes, scores, labels = (tf.concat(part, 0) for part in zip(*kept, strict=True))
        count = tf.minimum(MOST, tf.shape(scores)[0])
        scores, order = tf.nn.top_k(scores, count)
        rest = MOST - count
        return (
            tf.pad(tf.gather(boxes, order), [[0, rest], [0, 0]]),
            tf.pad(scores, [[0, rest]]),
            tf.pad(tf.gather(labels, order), [[0, rest]]),
            tf.cast(count, tf.float32),
        )
