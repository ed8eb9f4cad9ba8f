"""Faults of a quantized file's constants: from another checkpoint, in another order, lost, coarse."""

import numpy as np
from flatbuffers import flexbuffers

from tests.support.faults import models, quantizing
from tests.support.faults.graph import Net, edited
from tests.support.faults.workshop import Fault, Workshop


def _broken(shop: Workshop, name: str, cause: str, change, also: tuple[str, ...] = ()) -> Fault:
    data = edited(shop.file_of("shapes-full-integer").read_bytes(), change)
    card = shop.card(name.replace(" ", "-"), "shapes-full-integer", data)
    return shop.fault(name, cause, card, also)


def _layers(net: Net, *parts: str) -> list:
    """Return the layers whose output is named so."""
    found = net.all("CONV_2D", "DEPTHWISE_CONV_2D")
    return [conv for conv in found if any(part in net.name(conv.outputs[0]) for part in parts)]


def weights_of_another_training(shop: Workshop) -> Fault:
    """All weights differ by a fifth, as after more steps of training."""
    random = np.random.default_rng(3)

    def change(net: Net) -> None:
        for conv in net.all("CONV_2D", "DEPTHWISE_CONV_2D"):
            values = net.values(conv.inputs[1])
            noise = random.normal(size=values.shape) * np.sqrt((values**2).mean())
            net.set_values(conv.inputs[1], (values + 0.22 * noise).astype(np.float32))

    data = quantizing.quantize(edited(shop.float32, change), shop.ranges)
    card = shop.card("another-training", "shapes-float32", data)
    return shop.fault("another checkpoint", "other-checkpoint", card)


def statistics_of_another_training(shop: Workshop) -> Fault:
    """Every depthwise layer's bias is 0.4 of what it is."""

    def change(net: Net) -> None:
        for conv in net.all("DEPTHWISE_CONV_2D"):
            net.set_values(conv.inputs[2], np.rint(net.values(conv.inputs[2]) * 0.4).astype(np.int32))

    return _broken(shop, "other batch norm", "batch-norm-statistics", change)


def classes_rolled(shop: Workshop) -> Fault:
    """The heads' classes are each one place further on."""

    def change(net: Net) -> None:
        for conv in _layers(net, "/class"):
            n = net.tensors[conv.outputs[0]].shape[-1]
            if n % 7:
                continue  # what lies before the heads
            order = np.arange(n).reshape(-1, 7)[:, [0, 2, 3, 4, 5, 6, 1]].reshape(-1)
            for index in conv.inputs[1:]:
                net.set_values(index, net.values(index)[order])
                how = net.tensors[index].quantization
                how.scale = np.asarray(how.scale)[order]

    return _broken(shop, "classes rolled", "class-order", change)


def four_bits(shop: Workshop) -> Fault:
    """Weights of four bits, stored as int8."""

    def change(net: Net) -> None:
        for conv in net.all("CONV_2D", "DEPTHWISE_CONV_2D"):
            coarse = np.rint(np.rint(net.values(conv.inputs[1]) / 127 * 3) * 127 / 3)
            net.set_values(conv.inputs[1], coarse.astype(np.int8))

    return _broken(shop, "weights of three bits", "few-bits", change)


def scales_reversed(shop: Workshop) -> Fault:
    """One layer's scales are written in the wrong order."""

    def change(net: Net) -> None:
        (conv,) = _layers(net, "block3_pointwise")
        how = net.tensors[conv.inputs[1]].quantization
        how.scale = np.asarray(how.scale)[::-1]

    return _broken(shop, "scales reversed", "layer-weights", change)


def bias_lost(shop: Workshop) -> Fault:
    """One layer has no bias."""

    def change(net: Net) -> None:
        (conv,) = _layers(net, "block6_pointwise")
        net.set_values(conv.inputs[2], np.zeros_like(net.values(conv.inputs[2])))

    return _broken(shop, "bias lost", "layer-bias", change)


def small_anchors(shop: Workshop) -> Fault:
    """Anchors of another configuration: all are smaller."""

    def change(net: Net) -> None:
        index = net.first("TFLite_Detection_PostProcess").inputs[2]
        net.set_values(index, net.values(index) * np.float32([1, 1, 0.7, 0.7]))

    return _broken(shop, "small anchors", "anchors", change)


def sigmoid_of_another_scale(shop: Workshop) -> Fault:
    """LOGISTIC's output says 1/512, and its kernel gives 1/256."""

    def change(net: Net) -> None:
        net.quantized(net.first("LOGISTIC").outputs[0], 1 / 512, -128)

    return _broken(shop, "sigmoid scale", "stored-scale", change)


def one_range_too_short(shop: Workshop) -> Fault:
    """One residual sum is calibrated for a quarter of its values."""

    def cut(found: quantizing.Ranges) -> None:
        name = next(name for name in found if name.endswith("add_2_1/Add"))
        found[name]["max"] = found[name]["max"] * 0.25

    card = shop.card(
        "short-range", "shapes-float32", quantizing.quantize(shop.float32, shop.ranges, change=cut)
    )
    return shop.fault("one range too short", "clipped-range", card)


def other_box_scales(shop: Workshop) -> Fault:
    """PostProcess divides box codes by half of what the float file's does."""

    def change(net: Net) -> None:
        post = net.first("TFLite_Detection_PostProcess")
        known = dict(flexbuffers.Loads(bytes(bytearray(post.customOptions))))
        known |= {"y_scale": 5.0, "x_scale": 5.0}
        post.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(known)), np.uint8)

    return _broken(shop, "other box scales", "operator-options", change)


def small_codes_in_half(shop: Workshop) -> Fault:
    """Box heads of a millionth of the size: float16 has no bits left for them."""
    data = models.with_large_codes(shop.float32, 1e-6)
    reference = shop.card("small-codes", "shapes-float32", data)
    card = shop.card("small-codes-in-half", "shapes-float32", models.with_float16_weights(data))
    return shop.fault("float16 underflow", "float16-underflow", card, reference=reference)


def heads_joined_in_another_order(shop: Workshop) -> Fault:
    """The scores of the feature maps are joined in another order than the boxes: no constant is wrong."""

    def change(net: Net) -> None:
        makers = {index: o for o in net.operators for index in o.outputs}
        scores = makers[net.first("LOGISTIC").inputs[0]]
        scores.inputs = scores.inputs[::-1]

    return _broken(shop, "heads in another order", "not-in-quantization", change)


def named_in_the_wrong_order(shop: Workshop) -> Fault:
    """The quantized model is named first."""
    card = shop.models / "shapes-full-integer.toml"
    return shop.fault("files exchanged", "wrong-pair", shop.float_card, reference=card)


def labels_of_neither_fit(shop: Workshop) -> Fault:
    """Both cards take class numbers for categories that start at 1: the float side fails as well."""
    reference = shop.card("float-label-less", "shapes-float32", labels__offset=4)
    card = shop.card("int8-label-less", "shapes-full-integer", labels__offset=4)
    return shop.fault("labels of both wrong", "reference-fails", card, reference=reference)


FAULTS = (
    weights_of_another_training,
    statistics_of_another_training,
    classes_rolled,
    four_bits,
    scales_reversed,
    bias_lost,
    small_anchors,
    sigmoid_of_another_scale,
    one_range_too_short,
    other_box_scales,
    small_codes_in_half,
    heads_joined_in_another_order,
    named_in_the_wrong_order,
    labels_of_neither_fit,
)
