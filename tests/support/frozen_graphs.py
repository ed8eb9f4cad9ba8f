"""Small TensorFlow graphs, made here: with and without fake-quant nodes, with and without PostProcess."""

import numpy as np

INPUT = "normalized_input_image_tensor"
POST = "TFLite_Detection_PostProcess"


def ssd_graph(tf, fake_quant, postprocess):
    """Return a GraphDef: 1×32×32×3 → two convolutions → boxes [1, 16, 4], scores [1, 16, 4] (→ PostProcess)."""
    v1, random, graph = tf.compat.v1, np.random.default_rng(0), tf.Graph()

    def faked(tensor, low, high, name):
        return (
            tf.quantization.fake_quant_with_min_max_args(tensor, low, high, name=name)
            if fake_quant
            else tensor
        )

    def conv(tensor, channels, name, top=6.0):
        weights = tf.constant(random.normal(0, 0.3, (3, 3, tensor.shape[-1], channels)).astype(np.float32))
        weights = faked(weights, -0.9, 1.1, f"{name}/weights_quant")  # asymmetric, as training leaves it
        bias = tf.constant(random.normal(0, 0.1, channels).astype(np.float32))
        found = tf.nn.bias_add(v1.nn.conv2d(tensor, weights, [1, 2, 2, 1], "SAME"), bias)
        low = 0.0 if top == 6.0 else -top
        return faked(tf.nn.relu6(found) if top == 6.0 else found, low, top, f"{name}/act_quant")

    with graph.as_default():
        image = v1.placeholder(tf.float32, [1, 32, 32, 3], name=INPUT)
        body = conv(conv(faked(image, -1.0, 1.0 - 1 / 128, "input_quant"), 24, "first"), 32, "second")
        boxes = tf.reshape(conv(body, 4, "boxes", 8.0), [1, 16, 4], name="raw_outputs/box_encodings")
        logits = tf.reshape(conv(body, 4, "scores", 8.0), [1, 16, 4])
        scores = tf.sigmoid(logits, name="raw_outputs/class_predictions")
        scores = faked(scores, 0.0, 1 - 1 / 256, "scores_quant")
    definition = graph.as_graph_def()
    if postprocess:
        add_postprocess(tf, definition, boxes.op.name, scores.op.name, random)
    return definition


def sized_ssd_graph(tf, side, anchors):
    """Return `tflite_graph.pb` of an untrained SSD with the six feature maps and the boxes of SSD MobileNet.

    Its reshapes hold the numbers of rows as constants, as a graph does that was exported for one size.
    """
    v1, random, graph = tf.compat.v1, np.random.default_rng(0), tf.Graph()

    def conv(tensor, channels, stride=2):
        weights = random.normal(0, 0.2, (3, 3, tensor.shape[-1], channels)).astype(np.float32)
        return v1.nn.conv2d(tensor, tf.constant(weights), [1, stride, stride, 1], "SAME")

    with graph.as_default():
        body = v1.placeholder(tf.float32, [1, side, side, 3], name=INPUT)
        boxes, scores = [], []
        for _ in range(3):
            body = tf.nn.relu6(conv(body, 8))
        for level in range(6):
            body, each = tf.nn.relu6(conv(body, 8)), 3 if level == 0 else 6
            rows = body.shape[1] * body.shape[2] * each
            boxes.append(tf.reshape(conv(body, 4 * each, 1), [1, rows, 1, 4]))
            scores.append(tf.reshape(conv(body, 7 * each, 1), [1, rows, 7]))
        encodings = tf.squeeze(tf.concat(boxes, 1), axis=2, name="raw_outputs/box_encodings")
        found = tf.sigmoid(tf.concat(scores, 1), name="raw_outputs/class_predictions")
    definition = graph.as_graph_def()
    add_postprocess(tf, definition, encodings.op.name, found.op.name, random, anchors, 6)
    return definition


def add_postprocess(tf, definition, boxes, scores, random, own=None, classes=3):
    """Append the operator as `export_tflite_ssd_graph_lib.py` does; TensorFlow itself does not know it."""
    anchors = definition.node.add(name="anchors", op="Const")
    anchors.attr["dtype"].type = tf.float32.as_datatype_enum
    values = np.abs(random.normal(0.5, 0.1, (16, 4))).astype(np.float32)
    anchors.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values if own is None else own))
    node = definition.node.add(name=POST, op=POST)
    node.input.extend([boxes, scores, "anchors"])
    for key, value in (("max_detections", 10), ("max_classes_per_detection", 1), ("num_classes", classes)):
        node.attr[key].i = value
    for key, value in (
        *(("nms_score_threshold", 1e-8), ("nms_iou_threshold", 0.6)),
        *(("y_scale", 10.0), ("x_scale", 10.0), ("h_scale", 5.0), ("w_scale", 5.0)),
    ):
        node.attr[key].f = value
    node.attr["use_regular_nms"].b = False
    node.attr["_output_quantized"].b = True
    node.attr["_support_output_type_float_in_quantized_op"].b = True
    node.attr["_output_types"].list.type.extend([tf.float32.as_datatype_enum] * 4)
