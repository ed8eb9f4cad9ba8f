"""The same faults of real models: made from the shared data, where it is."""

from harness.edit.nms import NmsChange
from harness.edit.shapes import change_nms
from tests.support.faults import models
from tests.support.faults.workshop import Fault, Workshop

ZEROS, UNIT, HALF = (0.0,) * 3, (255.0,) * 3, (127.5,) * 3


def _model(shop: Workshop, name: str):
    return shop.shared / "models" / f"{name}.tflite"


def _yolo(shop: Workshop, name: str, cause: str, of: str = "yolov5n-fp16", also=(), **changes) -> Fault:
    """Break the card of a YOLOv5n; the reference is the sound float16 one."""
    reference = shop.card("yolov5n", _model(shop, "yolov5n-fp16"))
    slug = name.replace(" ", "-").lower()
    broken = shop.card(slug, _model(shop, of), **changes)
    return Fault(name, (cause, *also), reference, broken, shop.shared / "coco50")


def _ssd(shop: Workshop, name: str, cause: str, data: bytes | None = None, also=(), **changes) -> Fault:
    """Break the card or the file of the SSD MobileNet v1; the reference is the sound one."""
    reference = shop.card("ssd-v1", _model(shop, "ssd_mobilenet_v1_coco_quant"))
    slug = name.replace(" ", "-").lower()
    broken = shop.card(slug, _model(shop, "ssd_mobilenet_v1_coco_quant"), data, **changes)
    return Fault(name, (cause, *also), reference, broken, shop.shared / "coco50")


def yolo_bgr(shop: Workshop) -> Fault:
    return _yolo(shop, "YOLO fed BGR", "channel-order", "yolov5n-int8", input__channels="bgr")


def yolo_bgr_float(shop: Workshop) -> Fault:
    return _yolo(shop, "YOLO float16 fed BGR", "channel-order", input__channels="bgr")


def yolo_stretched(shop: Workshop) -> Fault:
    return _yolo(shop, "YOLO fed stretched", "input-geometry", "yolov5n-int8", input__resize="stretch")


def yolo_normalized(shop: Workshop) -> Fault:
    return _yolo(shop, "YOLO fed -1 to 1", "input-normalization", input__mean=HALF, input__std=HALF)


def yolo_labels(shop: Workshop) -> Fault:
    return _yolo(shop, "YOLO class and 1 as category", "label-offset", labels__map=None, labels__offset=1)


def yolo_box_format(shop: Workshop) -> Fault:
    return _yolo(shop, "YOLO read as corners", "decoder-settings", "yolov5n-int8", decoder__box_format="xyxy")


def yolo_nms(shop: Workshop) -> Fault:
    return _yolo(
        shop,
        "YOLO with the threshold of a demo",
        "nms-settings",
        "yolov5n-int8",
        decoder__nms__score_threshold=0.5,
    )


def ssd_bgr(shop: Workshop) -> Fault:
    return _ssd(shop, "SSD fed BGR", "channel-order", input__channels="bgr")


def ssd_letterboxed(shop: Workshop) -> Fault:
    return _ssd(shop, "SSD letterboxed", "input-geometry", input__resize="letterbox", input__pad_value=0)


def ssd_labels(shop: Workshop) -> Fault:
    return _ssd(shop, "SSD labels without offset", "label-offset", labels__offset=0)


def ssd_order(shop: Workshop) -> Fault:
    return _ssd(shop, "SSD outputs swapped", "output-order", decoder__order="boxes,scores,classes,count")


def ssd_nms(shop: Workshop) -> Fault:
    file = _model(shop, "ssd_mobilenet_v1_coco_quant")
    data = change_nms(file.read_bytes(), NmsChange(score_threshold=0.6), file)
    return _ssd(shop, "SSD score threshold 0.6", "nms-settings", data)


def ssd_integer_outputs(shop: Workshop) -> Fault:
    data = models.with_integer_outputs(_model(shop, "ssd_mobilenet_v1_coco_quant").read_bytes(), 90 / 255)
    return _ssd(shop, "SSD outputs in integers", "integer-postprocess", data, ("shared-output-scale",))


def ssd_mean_without_scale(shop: Workshop) -> Fault:
    """The card of a float twin that takes 0…1 feeds a uint8 model of -1…1."""
    return _ssd(
        shop,
        "SSD with a float card of 0 to 1",
        "input-normalization",
        also=("float-card", "input-stats", "input-quantization"),
        input__mean=ZEROS,
        input__std=UNIT,
    )


FAULTS = (
    yolo_bgr,
    yolo_bgr_float,
    yolo_stretched,
    yolo_normalized,
    yolo_labels,
    yolo_nms,
    yolo_box_format,
    ssd_bgr,
    ssd_letterboxed,
    ssd_labels,
    ssd_order,
    ssd_nms,
    ssd_integer_outputs,
    ssd_mean_without_scale,
)
