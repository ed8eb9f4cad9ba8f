"""The example's detector: anchors, box coding and a depthwise-separable SSD in Keras.

TensorFlow is imported inside the functions: it is an optional extra, and the module is importable without it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.example_training.draw import CATEGORIES

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """The detector's shape; `levels` are (cells a side, two square anchors' shares of the image's side)."""

    side: int = 144
    classes: int = len(CATEGORIES)
    levels: tuple[tuple[int, float, float], ...] = (
        (18, 0.085, 0.13),
        (9, 0.20, 0.30),
        (5, 0.42, 0.56),
        (3, 0.72, 0.90),
    )
    aspect: float = 1.6
    scales: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    # (output channels, stride) of each depthwise-separable block; the stem before them has stride 2
    body: tuple[tuple[int, int], ...] = (
        (24, 2),
        (32, 1),
        (48, 2),
        (64, 1),
        (64, 1),
        (80, 2),
        (80, 1),
        (80, 1),
        (80, 2),
        (80, 1),
        (64, 2),
    )
    taps: tuple[int, ...] = (4, 7, 9, 10)


def anchors(network: Network) -> Array:
    """Return the anchors [n, 4] as (ycenter, xcenter, h, w), normalized: four a cell, by level, then row."""
    return np.concatenate([_level(network, *level) for level in network.levels]).astype(np.float32)


def _level(network: Network, cells: int, small: float, large: float) -> NDArray[np.float64]:
    centre = (np.arange(cells) + 0.5) / cells
    middle, stretch = math.sqrt(small * large), math.sqrt(network.aspect)
    sizes = np.array(
        [
            [small, small],
            [large, large],
            [middle * stretch, middle / stretch],
            [middle / stretch, middle * stretch],
        ]
    )
    grid = np.empty((cells, cells, len(sizes), 4))
    grid[..., 0] = centre[:, None, None]
    grid[..., 1] = centre[None, :, None]
    grid[..., 2:] = sizes
    return grid.reshape(-1, 4)


def build(network: Network, batch: int | None = None) -> Any:
    """Return the Keras model: image [b, s, s, 3] → box codes [b, n, 4], class logits [b, n, 1 + classes].

    The image is in [-1, 1]. Column 0 of the logits is background, as in the TF Object Detection API.
    """
    from tensorflow import keras

    image = keras.Input((network.side, network.side, 3), batch_size=batch, name="image")
    x = _activate(keras.layers.Conv2D(16, 3, 2, "same", use_bias=False, name="stem")(image), "stem")
    features = []
    for number, (channels, stride) in enumerate(network.body):
        x = _block(x, channels, stride, f"block{number}")
        if number in network.taps:
            features.append(x)
    codes, logits = [], []
    for number, feature in enumerate(features):
        codes.append(_head(feature, 4, f"box{number}", "zeros"))
        logits.append(_head(feature, 1 + network.classes, f"class{number}", _prior(network)))
    join = keras.layers.Concatenate(axis=1)
    return keras.Model(image, [join(codes), join(logits)], name="shapes")


def _activate(x: Any, name: str) -> Any:
    from tensorflow import keras

    x = keras.layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_bn")(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu6")(x)


def _block(x: Any, channels: int, stride: int, name: str) -> Any:
    """Depthwise 3x3 and pointwise 1x1, each with batch norm and ReLU6; a residual where the shape stays."""
    from tensorflow import keras

    y = keras.layers.DepthwiseConv2D(3, stride, "same", use_bias=False, name=f"{name}_depthwise")(x)
    y = _activate(y, f"{name}_depthwise")
    y = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_pointwise")(y)
    y = _activate(y, f"{name}_pointwise")
    return keras.layers.Add()([x, y]) if x.shape[-1] == channels and stride == 1 else y


def _head(feature: Any, columns: int, name: str, bias: Any) -> Any:
    from tensorflow import keras

    x = keras.layers.DepthwiseConv2D(3, 1, "same", use_bias=False, name=f"{name}_depthwise")(feature)
    x = _activate(x, f"{name}_depthwise")
    start = keras.initializers.RandomNormal(stddev=0.03)
    predict = keras.layers.Conv2D(4 * columns, 1, kernel_initializer=start, bias_initializer=bias, name=name)
    return keras.layers.Reshape((-1, columns))(predict(x))


def _prior(network: Network) -> Any:
    """Start at 1 % objects, lest the first steps unlearn false positives (Lin et al. 2017, §3.3)."""
    from tensorflow import keras

    rare = math.log(0.01 / 0.99)
    return keras.initializers.Constant(np.tile([-rare] + [rare] * network.classes, 4))


def decode(codes: Any, boxes: Any, network: Network) -> Any:
    """Turn box codes [..., n, 4] and anchors [n, 4] into corners (ymin, xmin, ymax, xmax), normalized."""
    import tensorflow as tf

    ty, tx, th, tw = tf.unstack(codes / tf.constant(network.scales), axis=-1)
    cy, cx, h, w = (boxes[:, k] for k in range(4))
    # a wild code early in training must not overflow exp(); trained codes are far below the bound
    half_h, half_w = tf.exp(tf.minimum(th, 3.0)) * h / 2, tf.exp(tf.minimum(tw, 3.0)) * w / 2
    y, x = ty * h + cy, tx * w + cx
    return tf.stack([y - half_h, x - half_w, y + half_h, x + half_w], axis=-1)


def encode(corners: Any, boxes: Any, network: Network) -> Any:
    """Turn corners [..., n, 4] into box codes against the anchors [n, 4]: the inverse of `decode`."""
    import tensorflow as tf

    cy, cx, h, w = (boxes[:, k] for k in range(4))
    ymin, xmin, ymax, xmax = tf.unstack(corners, axis=-1)
    height, width = tf.maximum(ymax - ymin, 1e-4), tf.maximum(xmax - xmin, 1e-4)
    code = [
        ((ymin + ymax) / 2 - cy) / h,
        ((xmin + xmax) / 2 - cx) / w,
        tf.math.log(height / h),
        tf.math.log(width / w),
    ]
    return tf.stack(code, axis=-1) * tf.constant(network.scales)
