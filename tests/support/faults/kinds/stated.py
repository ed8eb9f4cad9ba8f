"""Faults of what is stated beside the network: cards, anchors, options of PostProcess, the order of the arguments."""

from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from tests.support.faults.compact import compact
from tests.support.faults.graph import Net, edited
from tests.support.faults.kinds.broken import Broken
from tests.support.faults.subjects import Subject

Draw = np.random.Generator
POST = "TFLite_Detection_PostProcess"


def _card(subject: Subject, name: str, what: str, **changes: Any) -> Broken:
    return Broken(subject.quantized_file(name, subject.int8, **changes), what)


def anchors(subject: Subject, draw: Draw, name: str) -> Broken:
    """Anchors of another configuration: sizes, order of the coordinates, or order of the rows."""
    way = str(draw.choice(["sizes", "transposed", "shuffled levels"]))
    factor = float(draw.choice([draw.uniform(0.5, 0.8), draw.uniform(1.25, 2)]))

    def change(net: Net) -> None:
        index = net.first(POST).inputs[2]
        values = net.values(index).copy()
        if way == "sizes":
            values[:, 2:] *= np.float32(factor)
        elif way == "transposed":
            values = values[:, [1, 0, 3, 2]]
        else:
            values = np.roll(values, int(draw.integers(1, len(values) // 2)), axis=0)
        net.set_values(index, np.ascontiguousarray(values))

    return Broken(subject.quantized_file(name, edited(subject.int8, change)), f"anchors: {way}")


def _options(subject: Subject, name: str, what: str, **new: float | int) -> Broken:
    def change(net: Net) -> None:
        post = net.first(POST)
        values = {**flexbuffers.Loads(bytes(bytearray(post.customOptions))), **new}
        builder = flexbuffers.Builder()
        with builder.Map():
            for key, value in values.items():
                builder.Key(key)
                builder.Add(value)
        post.customOptions = np.frombuffer(bytes(builder.Finish()), np.uint8)

    return Broken(subject.quantized_file(name, edited(subject.int8, change)), what)


def box_scales(subject: Subject, draw: Draw, name: str) -> Broken:
    """The operator divides box codes by other numbers."""
    y, h = ((1.0, 1.0), (10.0, 10.0), (5.0, 5.0), (5.0, 10.0), (20.0, 10.0))[int(draw.integers(5))]
    told = f"scales {y:g}, {y:g}, {h:g}, {h:g}"
    return _options(subject, name, told, y_scale=y, x_scale=y, h_scale=h, w_scale=h)


def overlap(subject: Subject, draw: Draw, name: str) -> Broken:
    """Another overlap for suppression."""
    value = float(draw.choice([draw.uniform(0.02, 0.15), draw.uniform(0.9, 0.99)]))
    return _options(subject, name, f"IoU threshold {value:.2f}", nms_iou_threshold=value)


def score_threshold(subject: Subject, draw: Draw, name: str) -> Broken:
    """A score threshold for a demo."""
    value = float(draw.uniform(0.4, 0.8))
    return _options(subject, name, f"score threshold {value:.2f}", nms_score_threshold=value)


def detections(subject: Subject, draw: Draw, name: str) -> Broken:
    """Few detections an image."""
    value = int(draw.integers(1, 3))
    return _options(subject, name, f"{value} detections", max_detections=value)


def card_threshold(subject: Subject, draw: Draw, name: str) -> Broken:
    """A score threshold for a demo, or another overlap, in the card."""
    if draw.random() < 0.5:
        value = float(draw.uniform(0.4, 0.8))
        return _card(subject, name, f"score threshold {value:.2f}", decoder__nms__score_threshold=value)
    value = float(draw.uniform(0.02, 0.15))
    return _card(subject, name, f"IoU threshold {value:.2f}", decoder__nms__iou_threshold=value)


def box_format(subject: Subject, draw: Draw, name: str) -> Broken:
    """Boxes read in another format."""
    value = str(draw.choice(["xyxy", "yxyx", "ltwh"] if subject.name == "yolov5n" else ["xyxy"]))
    return _card(subject, name, f"boxes read as {value}", decoder__box_format=value)


def order(subject: Subject, draw: Draw, name: str) -> Broken:
    """Outputs taken for each other."""
    value = "boxes,scores,classes,count"
    return _card(subject, name, f"outputs read as {value}", decoder__order=value)


def labels(subject: Subject, draw: Draw, name: str) -> Broken:
    """Class numbers one or two too low or too high."""
    by = int(draw.choice([-1, 1, 2]))
    if subject.name == "yolov5n":
        return _card(
            subject, name, f"offset {1 + by} without the map", labels__map=None, labels__offset=1 + by
        )
    return _card(subject, name, f"offset {1 + by}", labels__offset=1 + by, labels__names=())


def letterbox(subject: Subject, draw: Draw, name: str) -> Broken:
    """Images fitted otherwise into the input."""
    if subject.name == "yolov5n":
        return _card(subject, name, "stretched", input__resize="stretch")
    place = str(draw.choice(["center", "corner"]))
    return _card(subject, name, f"letterbox, {place}", input__resize="letterbox", input__pad_position=place)


def channel_order(subject: Subject, draw: Draw, name: str) -> Broken:
    """Blue where red belongs."""
    return _card(subject, name, "fed BGR", input__channels="bgr")


def normalization(subject: Subject, draw: Draw, name: str) -> Broken:
    """Images normalized otherwise."""
    mean, std = ((0.0, 255.0), (127.5, 127.5), (0.0, 1.0), (116.0, 58.0), (0.0, 64.0))[int(draw.integers(5))]
    own = subject.origin.normalization or ((127.5, 127.5) if subject.name == "example" else (0.0, 255.0))
    if abs(own[0] - mean) < 2 and abs(own[1] - std) < 2:
        mean, std = 64.0, 255.0
    return _card(subject, name, f"mean {mean:g}, std {std:g}", input__mean=(mean,) * 3, input__std=(std,) * 3)


def swapped_arguments(subject: Subject, draw: Draw, name: str) -> Broken:
    """The quantized model is named first."""
    return Broken(subject.reference, "arguments swapped", subject.quantized_file(name, subject.int8))


def same_file(subject: Subject, draw: Draw, name: str) -> Broken:
    """The same file twice."""
    one = subject.quantized_file(name, subject.int8)
    return Broken(one, "the same file twice", one)


def resize_rules(subject: Subject, draw: Draw, name: str) -> Broken:
    """Resizing inside the network with the other rule for corners."""

    def change(net: Net) -> None:
        for operator in net.all("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
            options = operator.builtinOptions
            options.alignCorners, options.halfPixelCenters = not options.alignCorners, False

    data = subject.requantized(edited(subject.float32, change))
    return Broken(subject.quantized_file(name, data), "the other rule for corners")


def other_network(subject: Subject, draw: Draw, name: str) -> Broken:
    """A network of other layers: every second residual block is left out."""

    def change(net: Net) -> None:
        for add in net.all("ADD")[int(draw.integers(2)) :: 2]:
            skipped, (target,) = add.inputs[0], add.outputs
            for user in net.operators:
                user.inputs = [skipped if index == target else index for index in user.inputs]
            net.operators.remove(add)
        compact(net)

    data = subject.requantized(edited(subject.float32, change))
    return Broken(subject.quantized_file(name, data), "residual blocks left out")


FAULTS = {
    "anchors": anchors,
    "box-scales": box_scales,
    "overlap": overlap,
    "score-threshold": score_threshold,
    "detections": detections,
    "card-threshold": card_threshold,
    "box-format": box_format,
    "output-order": order,
    "labels": labels,
    "letterbox": letterbox,
    "channel-order": channel_order,
    "normalization": normalization,
    "swapped-arguments": swapped_arguments,
    "same-file": same_file,
    "resize-rules": resize_rules,
    "other-network": other_network,
}
