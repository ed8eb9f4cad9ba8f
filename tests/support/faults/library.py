"""All faults and all healthy pairs, by the name of the function that makes them."""

from collections.abc import Callable

from tests.support.faults import by_card, by_constants, by_model, by_shared
from tests.support.faults.workshop import Fault, Workshop

Maker = Callable[[Workshop], Fault]
BUNDLED: dict[str, Maker] = {
    make.__name__: make for make in (*by_card.FAULTS, *by_model.FAULTS, *by_constants.FAULTS)
}
SHARED: dict[str, Maker] = {make.__name__: make for make in by_shared.FAULTS}


def _bundled(name: str) -> Maker:
    def make(shop: Workshop) -> Fault:
        card = shop.models / f"shapes-{name}.toml"
        return Fault(f"healthy {name}", (), shop.float_card, card, shop.dataset)

    return make


def _requantized(shop: Workshop) -> Fault:
    card = shop.card("requantized", "shapes-float32", shop.int8)
    return Fault("healthy int8 by litert-quantizer", (), shop.float_card, card, shop.dataset)


def _yolo(name: str) -> Maker:
    def make(shop: Workshop) -> Fault:
        models = shop.shared / "models"
        reference = shop.card("yolov5n", models / "yolov5n-fp16.tflite")
        broken = shop.card(f"healthy-{name}", models / f"{name}.tflite")
        return Fault(f"healthy {name}", (), reference, broken, shop.shared / "coco50")

    return make


HEALTHY: dict[str, Maker] = {
    "float16": _bundled("float16"),
    "dynamic-range": _bundled("dynamic-range"),
    "full-integer": _bundled("full-integer"),
    "requantized": _requantized,
}
HEALTHY_SHARED: dict[str, Maker] = {name: _yolo(name) for name in ("yolov5n-fp16", "yolov5n-int8")}
