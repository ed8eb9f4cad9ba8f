#!/usr/bin/env bash
# TensorFlow's converter writes int8 weights with another zero point than 0, which its own interpreter does not run.
#
# tensorflow-cpu 2.21.0: the ranges of fake-quant nodes are taken as they are. Weights that were trained with -0.9…1.1
# become int8 with the zero point -13, without an error or a warning, though TFLite's quantization specification has int8
# weights symmetric (zero point 0). The interpreter of the same package, with its default delegate, fails to prepare the
# convolution. The same net with -1…1 runs.
#
# Seen (x86-64, Python 3.11):
#   -1…1: zero point 0, allocated
#   -0.9…1.1: zero point -13, failed to delegate CONV_2D
# The script fails if one of these lines changes.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check tensorflow-cpu==2.21.0
cd "$work"
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES='' venv/bin/python - 2>log <<'PY' | tee seen || { tail log >&2; exit 1; }
import numpy as np
import tensorflow as tf


def convert(low, high):
    """A convolution that was trained for quantization, with these ranges of its weights."""
    weights = tf.constant(np.random.default_rng(0).normal(0, 0.3, (3, 3, 3, 64)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([1, 32, 32, 3], tf.float32)])
    def net(image):
        image = tf.quantization.fake_quant_with_min_max_args(image, -1.0, 1 - 1 / 128)
        faked = tf.quantization.fake_quant_with_min_max_args(weights, low, high)
        found = tf.nn.relu6(tf.nn.conv2d(image, faked, 2, "SAME"))
        return tf.quantization.fake_quant_with_min_max_args(found, 0.0, 6.0)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([net.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def run(model):
    """Return the zero point of the weights, and what the interpreter says."""
    plain = tf.lite.Interpreter(
        model_content=model,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    (points,) = [
        set(detail["quantization_parameters"]["zero_points"].tolist())
        for detail in plain.get_tensor_details()
        if tuple(detail["shape"]) == (64, 3, 3, 3) and detail["dtype"] == np.int8
    ]
    try:
        tf.lite.Interpreter(model_content=model).allocate_tensors()
    except RuntimeError as error:
        return points, str(error)
    return points, "allocated"


for low, high in ((-1.0, 1.0), (-0.9, 1.1)):
    (point,), said = run(convert(low, high))
    words = "failed to delegate CONV_2D" if "failed to delegate CONV_2D" in said else said
    print(f"{low:g}…{high:g}: zero point {point}, {words}")
PY
diff seen - <<'EXPECTED'
-1…1: zero point 0, allocated
-0.9…1.1: zero point -13, failed to delegate CONV_2D
EXPECTED
