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


def add_postprocess(tf, definition, boxes, scores, random):
    """Append the operator as `export_tflite_ssd_graph_lib.py` does; TensorFlow itself does not know it."""
    anchors = definition.node.add(name="anchors", op="Const")
    anchors.attr["dtype"].type = tf.float32.as_datatype_enum
    values = np.abs(random.normal(0.5, 0.1, (16, 4))).astype(np.float32)
    anchors.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
    node = definition.node.add(name=POST, op=POST)
    node.input.extend([boxes, scores, "anchors"])
    for key, value in (("max_detections", 10), ("max_classes_per_detection", 1), ("num_classes", 3)):
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
