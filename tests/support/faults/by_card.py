"""Faults of the card alone: a sound model, wrongly fed or wrongly read."""

from tests.support.faults import quantizing
from tests.support.faults.models import with_normalization
from tests.support.faults.workshop import Fault, Workshop

ZEROS, UNIT, HALF = (0.0,) * 3, (255.0,) * 3, (127.5,) * 3


def normalized_to_unit(shop: Workshop) -> Fault:
    """Images in 0…1 for a model of -1…1."""
    card = shop.card("normalized-to-unit", "shapes-dynamic-range", input__mean=ZEROS, input__std=UNIT)
    return shop.fault("normalized to 0…1", "input-normalization", card)


def not_normalized(shop: Workshop) -> Fault:
    """Pixels of 0…255 for a float model of -1…1."""
    card = shop.card("not-normalized", "shapes-float16", input__mean=None, input__std=None)
    return shop.fault("pixels into a float input", "input-normalization", card, ("float-card",))


def label_less(shop: Workshop) -> Fault:
    """Class numbers taken for category ids that start at 1."""
    card = shop.card("label-less", "shapes-full-integer", labels__offset=0)
    return shop.fault("labels one too low", "label-offset", card)


def label_more(shop: Workshop) -> Fault:
    """A background that is not there."""
    card = shop.card("label-more", "shapes-float16", labels__offset=2)
    return shop.fault("labels one too high", "label-offset", card)


def swapped_outputs(shop: Workshop) -> Fault:
    """Classes and scores change places, as TF1 and TF2 exports list them otherwise."""
    card = shop.card("swapped-outputs", "shapes-full-integer", decoder__order="boxes,scores,classes,count")
    return shop.fault("classes and scores swapped", "output-order", card)


def letterboxed(shop: Workshop) -> Fault:
    """Images with borders for a model that was trained on stretched ones."""
    card = shop.card("letterboxed", "shapes-full-integer", input__resize="letterbox")
    return shop.fault("letterboxed for a stretching model", "input-geometry", card)


def letterboxed_corner(shop: Workshop) -> Fault:
    """Borders at the right and below."""
    card = shop.card(
        "letterboxed-corner",
        "shapes-dynamic-range",
        input__resize="letterbox",
        input__pad_position="corner",
        input__pad_value=0,
    )
    return shop.fault("letterboxed into the corner", "input-geometry", card)


def integers_fed_raw(shop: Workshop) -> Fault:
    """An int8 input that holds -1…3 (padding of another value, augmented colours) is fed pixel - 128."""

    def widen(found: quantizing.Ranges) -> None:
        name = next(name for name in found if "serving_default_image" in name)
        found[name]["max"] = found[name]["max"] * 3

    made = quantizing.quantize(shop.float32, shop.ranges, change=widen)
    card = shop.card("integers-fed-raw", "shapes-float32", made, input__mean=None, input__std=None)
    return shop.fault("integers fed without scale", "input-quantization", card, ("input-stats",))


def float_twins_card(shop: Workshop) -> Fault:
    """An integer model that takes pixels, with the card of the float model of -1…1."""
    data = with_normalization(shop.float32, ZEROS, (1.0,) * 3)
    made = quantizing.quantize(data, quantizing.ranges(data, [p.astype("float32") for p in shop.pixels]))
    card = shop.card("float-twins-card", "shapes-float32", made)
    return shop.fault(
        "integer model with its float twin's card", "float-card", card, ("input-normalization",)
    )


FAULTS = (
    normalized_to_unit,
    not_normalized,
    label_less,
    label_more,
    swapped_outputs,
    letterboxed,
    letterboxed_corner,
    integers_fed_raw,
    float_twins_card,
)
