"""Train the `shapes` detector from scratch: drawn images, quality focal loss, GIoU, averaged weights.

    python -m tests.example_training.train --out DIR

writes `DIR/shapes.weights.h5`; `python -m tests.example_training.export` makes the .tflite files of it. The choices
and the figures they led to are in `harness/example/__init__.py`.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.example_training.draw import draw_scene, jpeg
from tests.example_training.network import Network, anchors, build, decode, encode
from tests.example_training.prepare import resized

MAX_OBJECTS = 8


@dataclass(frozen=True)
class Training:
    """The recipe; rates are per step of `batch` images."""

    seed: int = 7
    images: int = 8000
    batch: int = 16
    steps: int = 12000
    warm_up: int = 300
    rate: float = 2.5e-3
    weight_decay: float = 1e-4
    average_every: int = 5
    average: float = 0.99
    positive_iou: float = 0.5
    negative_iou: float = 0.4
    box_weight: float = 2.0
    code_weight: float = 0.3
    workers: int = 2


@dataclass(frozen=True)
class Examples:
    """Images [n, s, s, 3] uint8, corners [n, m, 4] normalized, category ids [n, m] with 0 for no object."""

    images: NDArray[np.uint8]
    corners: NDArray[np.float32]
    categories: NDArray[np.int32]


def render(split: str, count: int, side: int, workers: int) -> Examples:
    """Draw a split's first images at the network's size, through JPEG as the stored images went."""
    one = partial(_render_one, split, side)
    if workers <= 1:
        drawn = [one(index) for index in range(count)]
    else:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            drawn = pool.map(one, range(count), chunksize=32)
    images, corners, categories = zip(*drawn, strict=True)
    return Examples(np.stack(images), np.stack(corners), np.stack(categories))


def _render_one(
    split: str, side: int, index: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int32]]:
    scene = draw_scene(split, index)
    height, width, _ = scene.image.shape
    corners = np.zeros((MAX_OBJECTS, 4), np.float32)
    categories = np.zeros(MAX_OBJECTS, np.int32)
    x, y, w, h = scene.boxes.T
    found = len(scene.boxes)
    corners[:found] = np.stack([y / height, x / width, (y + h) / height, (x + w) / width], axis=1)
    categories[:found] = scene.categories
    return resized(jpeg(scene.image), side), corners, categories


# --- augmentation -------------------------------------------------------------------------------------------


def augment(images: Any, corners: Any) -> tuple[Any, Any]:
    """Flip and transpose images [b, s, s, 3] at random, as floats in [-1, 1]; drawn colours are random already."""
    import tensorflow as tf

    count = tf.shape(images)[0]
    x = tf.cast(images, tf.float32) / 127.5 - 1
    across, down, turn = (tf.random.uniform([count, 1, 1, 1]) < 0.5 for _ in range(3))
    ymin, xmin, ymax, xmax = tf.unstack(corners, axis=-1)
    x = tf.where(across, x[:, :, ::-1], x)
    xmin, xmax = (tf.where(across[:, :, 0, 0], a, b) for a, b in ((1 - xmax, xmin), (1 - xmin, xmax)))
    x = tf.where(down, x[:, ::-1], x)
    ymin, ymax = (tf.where(down[:, :, 0, 0], a, b) for a, b in ((1 - ymax, ymin), (1 - ymin, ymax)))
    x = tf.where(turn, tf.transpose(x, [0, 2, 1, 3]), x)
    flat, turned = tf.stack([ymin, xmin, ymax, xmax], -1), tf.stack([xmin, ymin, xmax, ymax], -1)
    return x, tf.where(turn[:, :, :, 0], turned, flat)


# --- loss ---------------------------------------------------------------------------------------------------


def overlaps(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the IoU and the generalized IoU of corners, broadcasting (Rezatofighi et al. 2019)."""
    import tensorflow as tf

    both = tf.minimum(a[..., 2:], b[..., 2:]) - tf.maximum(a[..., :2], b[..., :2])
    hull = tf.maximum(a[..., 2:], b[..., 2:]) - tf.minimum(a[..., :2], b[..., :2])
    inter = tf.reduce_prod(tf.maximum(both, 0.0), -1)
    union = tf.reduce_prod(a[..., 2:] - a[..., :2], -1) + tf.reduce_prod(b[..., 2:] - b[..., :2], -1) - inter
    around = tf.reduce_prod(hull, -1)
    iou = inter / tf.maximum(union, 1e-7)
    return iou, iou - (around - union) / tf.maximum(around, 1e-7)


def assign(corners: Any, categories: Any, boxes: Any, training: Training) -> tuple[Any, Any]:
    """Match anchors to objects: an object's index [b, n], and 1 for object, 0 for background, -1 for neither.

    An anchor takes the object it overlaps most; each object's best anchor is its own whatever the overlap.
    """
    import tensorflow as tf

    half = boxes[:, 2:] / 2
    places = tf.concat([boxes[:, :2] - half, boxes[:, :2] + half], 1)
    iou, _ = overlaps(places[None, :, None], corners[:, None])
    real = categories[:, None] > 0
    iou = tf.where(real, iou, -1.0)
    best = (iou >= tf.reduce_max(iou, 1, keepdims=True) - 1e-5) & real & (iou > 0.05)
    iou = tf.where(best, iou + 2.0, iou)
    top = tf.reduce_max(iou, 2)
    neither = tf.where(top >= training.negative_iou, -1, 0)
    return tf.argmax(iou, 2), tf.where(top >= training.positive_iou, 1, neither)


def loss(outputs: Any, truth: tuple[Any, Any], boxes: Any, network: Network, training: Training) -> Any:
    """Return quality focal loss + GIoU loss + smooth L1 on the box codes, per matched anchor."""
    import tensorflow as tf

    (codes, logits), (corners, categories) = outputs, truth
    owner, kind = assign(corners, categories, boxes, training)
    target = tf.gather(corners, owner, axis=1, batch_dims=1)
    number = tf.where(kind == 1, tf.gather(categories, owner, axis=1, batch_dims=1), 0)
    positive = tf.cast(kind == 1, tf.float32)
    total = tf.maximum(tf.reduce_sum(positive), 1.0)
    iou, giou = overlaps(decode(codes, boxes, network), target)
    code_error = tf.abs(codes - encode(target, boxes, network))
    huber = tf.reduce_sum(tf.where(code_error < 1, code_error**2 / 2, code_error - 0.5), -1)
    boxes_loss = training.box_weight * (1 - giou) + training.code_weight * tf.minimum(huber, 20.0)
    # the score learns the box's IoU (quality focal loss, Li et al. 2020): mAP over IoUs rewards that ranking
    quality = tf.where(number > 0, tf.stop_gradient(iou), 1.0)
    wanted = tf.one_hot(number, network.classes + 1) * quality[..., None]
    # the focal factor is for the many background anchors; on matched ones it would slow telling shapes apart
    focus = tf.where(positive[..., None] > 0, 1.0, tf.abs(wanted - tf.sigmoid(logits)) ** 2)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits)
    scores_loss = tf.reduce_sum(focus * entropy, -1) * tf.cast(kind >= 0, tf.float32)
    return (tf.reduce_sum(scores_loss) + tf.reduce_sum(boxes_loss * positive)) / total


# --- the loop -----------------------------------------------------------------------------------------------


def learning_rate(step: int, training: Training) -> float:
    """Return the rate: linear warm-up, then a cosine to zero."""
    if step < training.warm_up:
        return training.rate * (step + 1) / training.warm_up
    done = (step - training.warm_up) / max(1, training.steps - training.warm_up)
    return training.rate * (1 + math.cos(math.pi * min(1.0, done))) / 2


def make_step(model: Any, optimizer: Any, network: Network, training: Training) -> Any:
    """Return the compiled function (images, corners, categories) → loss that takes one training step."""
    import tensorflow as tf

    boxes = tf.constant(anchors(network))

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def step(images: Any, corners: Any, categories: Any) -> Any:
        images, corners = augment(images, corners)
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            value = loss(outputs, (corners, categories), boxes, network, training)
        gradients = tape.gradient(value, model.trainable_variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 10.0)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return value

    return step


def average_weights(kept: list[Any], model: Any, share: float) -> list[Any]:
    """Return the running average of all weights, batch norm's statistics among them."""
    return [share * old + (1 - share) * np.asarray(new) for old, new in zip(kept, model.weights, strict=True)]


def fit(examples: Examples, network: Network, training: Training) -> Any:
    """Train and return the model with its averaged weights."""
    from tensorflow import keras

    keras.utils.set_random_seed(training.seed)
    model = build(network)
    optimizer = keras.optimizers.AdamW(training.rate, weight_decay=training.weight_decay)
    step = make_step(model, optimizer, network, training)
    rng = np.random.default_rng(training.seed)
    kept = [np.asarray(weight) for weight in model.weights]
    started = time.monotonic()
    for number in range(training.steps):
        chosen = rng.integers(len(examples.images), size=training.batch)
        optimizer.learning_rate.assign(learning_rate(number, training))
        value = step(examples.images[chosen], examples.corners[chosen], examples.categories[chosen])
        if number % training.average_every == 0:
            # early weights are far from the last ones: average over a window that grows to its full length
            kept = average_weights(kept, model, min(training.average, (1 + number) / (50 + number)))
        if number % 200 == 0:
            _log(f"step {number}: loss {float(value):.3f}, {time.monotonic() - started:.0f} s")
    for weight, value in zip(model.weights, kept, strict=True):
        weight.assign(value)
    return model


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main(argv: list[str] | None = None) -> None:
    """Train the detector and write its weights."""
    parser = argparse.ArgumentParser(prog="python -m tests.example_training.train", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of shapes.weights.h5")
    parser.add_argument("--steps", type=int, default=Training.steps)
    parser.add_argument("--images", type=int, default=Training.images)
    options = parser.parse_args(argv)
    import tensorflow as tf

    training = Training(steps=options.steps, images=options.images)
    tf.config.threading.set_intra_op_parallelism_threads(training.workers)
    tf.config.threading.set_inter_op_parallelism_threads(training.workers)
    network = Network()
    examples = render("train", training.images, network.side, training.workers)
    _log(f"drew {training.images} images")
    model = fit(examples, network, training)
    options.out.mkdir(parents=True, exist_ok=True)
    model.save_weights(options.out / "shapes.weights.h5")


if __name__ == "__main__":
    main()
