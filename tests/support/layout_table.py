"""Layouts that exporters write, each made of the bundled model: what a bare file is read as, and the card for it."""

# ruff: noqa: E501  # a table stays one row a line

from dataclasses import dataclass

import numpy as np

from harness.cards import AnchorSpec, DecoderSpec, NmsSpec
from tests.support.layouts import CELLS, CLASSES, NAMES, ROWS, SIDE, Layout
from tests.support.model_metadata import detector_buffer

QUERIES = 300
NONE, AWARE = NmsSpec(kind="none"), NmsSpec(kind="class-aware")


@dataclass(frozen=True)
class Case:
    """One layout: its name, what writes it, what a bare file must be, and the card's decoder."""

    name: str
    write: object
    bare: str
    card: DecoderSpec | None
    regular: bool = False  # whether the truth is that of regular NMS, which heads without NMS get


def four(order, form="xyxy", scale=1.0, names=(), whole=False, count=True, said=()):
    def write(path):
        net = Layout()
        parts = {
            "boxes": net.box(form, scale),
            "scores": net.binary("MUL", net.scores, 1.0),
            "classes": net.integers(net.classes) if whole else net.binary("MUL", net.classes, 1.0),
            "count": net.binary("MUL", net.count, 3.0),
        }
        net.write(path, [parts[role] for role in order.split(",")], said, output_names=names)

    return write


def end2end(
    scale=1.0, form="xyxy", order=(0, 1, 2), rows=QUERIES, turned=False, flat=False, extra=(), said=None
):
    def write(path):
        net = Layout()
        parts = [net.box(form, scale), net.column(net.scores), net.column(net.classes)]
        table = net.pad(
            net.concat([*(net.constant(np.zeros((1, ROWS, 1))) for _ in extra), *(parts[k] for k in order)]),
            rows,
        )
        table = net.transpose(table, [0, 2, 1]) if turned else table
        table = net.reshape(table, [rows, 6]) if flat else table
        net.write(path, [table], NAMES if said else (), said=said)

    return write


def rotated(said=None):
    def write(path):
        net = Layout()
        angle = net.binary("MUL", net.column(net.scores), 0.3)
        parts = [net.box(), net.column(net.scores), net.column(net.classes), angle]
        net.write(path, [net.pad(net.concat(parts), QUERIES)], NAMES if said else (), said=said)

    return write


def pair(order, form, scale=1.0, rows=CELLS, scores="activated", names=(), boxes4d=False, turned=False):
    def write(path):
        net = Layout()
        boxes = net.pad(net.box(form, scale), rows)
        one_hot = net.pad(net.one_hot(), rows)
        kinds = {
            "activated": lambda: net.activated(one_hot),
            "logits": lambda: net.logits(one_hot),
            "first": lambda: net.logits(net.concat([net.constant(np.zeros((1, rows, 1))), one_hot])),
            "softmax": lambda: no_object(net, one_hot, rows),
        }
        parts = {"boxes": boxes, "scores": kinds[scores]()}
        if boxes4d:
            parts["boxes"] = net.reshape(boxes, [1, rows, 1, 4])
        if turned:
            parts = {role: net.transpose(tensor, [0, 2, 1]) for role, tensor in parts.items()}
        net.write(path, [parts[role] for role in order.split(",")], names)

    return write


def no_object(net, one_hot, rows):
    """DETR's logits: a softmax over the classes and no-object behind them gives the scores."""
    inside = net.binary("MAXIMUM", one_hot, 1e-9)
    best = net.linear(one_hot, np.ones((1, CLASSES)))
    rest = net.binary("MAXIMUM", net.binary("ADD", net.binary("MUL", best, -1.0), 1.0), 1e-6)
    table = net.binary("ADD", net.unary("LOG", net.concat([inside, rest])), 6.0)
    return net.linear(table, np.eye(CLASSES + 1))


def table(
    objectness=None, form="xywh", scale=1.0, rows=CELLS, turned=False, extra=0, proto=False, names=(), said=None,
    logits=False, angle=False, last=(), whole=False,
):  # fmt: skip
    """YOLO tables: box, perhaps objectness (`ones`, `split`), classes, perhaps masks, points or an angle."""

    def write(path):
        net = Layout()
        one_hot = net.pad(net.one_hot(), rows)
        scores = net.logits(one_hot) if logits else net.activated(one_hot)
        parts = [net.pad(net.box(form, scale), rows)]
        if objectness == "ones":
            parts.append(net.ones(rows))
        elif objectness == "split":
            parts.append(net.activated(net.pad(net.column(net.scores), rows)))
            scores = net.activated(
                net.pad(net.binary("MINIMUM", net.binary("MUL", net.one_hot(), 1e6), 1.0), rows)
            )
        parts.append(scores)
        if extra:
            parts.append(net.linear(scores, np.ones((extra, CLASSES))))
        if angle:
            parts.append(net.binary("MUL", net.linear(scores, np.ones((1, CLASSES))), 3.0))
        joined = net.concat(parts)
        if whole:  # nothing in the graph tells the columns apart
            joined = net.binary("MUL", joined, 1.0)
        joined = net.transpose(joined, [0, 2, 1]) if turned else joined
        outputs = [joined]
        if proto:
            outputs.append(net.constant(np.zeros((1, SIDE // 4, SIDE // 4, extra))))
        net.write(path, outputs, names, said=said)

    return write


def yolox(levels=False, names=()):
    def write(path):
        net = Layout()
        objectness = net.activated(net.pad(net.column(net.scores), CELLS))
        hot = net.pad(net.binary("MINIMUM", net.binary("MUL", net.one_hot(), 1e6), 1.0), CELLS)
        if not levels:
            net.write(path, [net.concat([net.raw_grid(), objectness, net.activated(hot)])], names)
            return
        raw = net.logits(net.pad(net.column(net.scores), CELLS))
        whole = net.linear(net.concat([net.raw_grid(apart=True), raw, net.logits(hot)]), np.eye(5 + CLASSES))
        net.write(path, split(net, whole), names)

    return write


def split(net, whole):
    """Cut a table of all cells into one map a stride."""
    outputs, start, width = [], 0, net.shape(whole)[-1]
    for side in (18, 9, 4):
        from ai_edge_litert import schema_py_generated as s

        begin, size = net.constant([0, start, 0], "int32"), net.constant([1, side * side, width], "int32")
        part = net.operator("SLICE", [whole, begin, size], [1, side * side, width], options=s.SliceOptionsT())
        outputs.append(net.reshape(part, [1, side, side, width]))
        start += side * side
    return outputs


def yolov3(path):
    """One anchor of 30 × 30 a cell, each detection in the cell that its row is: centres leave their cells, so σ⁻¹
    cannot give them; the coding is tried with the centres that it can."""
    net = Layout()
    anchors(net, path)


def anchors(net, path):
    from tests.support.layouts import grid

    cells, steps = grid(apart=True)
    boxes = net.pad(net.box("xywh", SIDE), CELLS)
    centers = net.binary("SUB", net.binary("MUL", net.columns(boxes, [0, 1]), (1 / steps)[None]), cells[None])
    # scale_x_y = 40: 40 σ(t) − 19.5 reaches every cell of these grids
    t = net.logits(net.binary("MUL", net.binary("ADD", centers, 19.5), 1 / 40))
    sizes = net.unary(
        "LOG", net.binary("MUL", net.binary("MAXIMUM", net.columns(boxes, [2, 3]), 1e-6), 1 / 30)
    )
    hot = net.pad(net.binary("MINIMUM", net.binary("MUL", net.one_hot(), 1e6), 1.0), CELLS)
    parts = [t, sizes, net.logits(net.pad(net.column(net.scores), CELLS)), net.logits(hot)]
    net.write(path, split(net, net.linear(net.concat(parts), np.eye(5 + CLASSES))))


def mediapipe(keypoints=0):
    """The heads with the anchors in MediaPipe's metadata and not in the graph; scores without their background."""

    def write(path):
        net = Layout()
        last = net.graph.operators.pop()
        boxes, scores, anchor = (int(index) for index in last.inputs)
        values = np.frombuffer(bytes(net.model.buffers[net.graph.tensors[anchor].buffer].data), np.float32)
        net.graph.tensors[anchor].shape = [values.size]
        classes = net.binary("MUL", net.columns(scores, range(1, CLASSES + 1)), 1.0)
        detector = detector_buffer(values.reshape(-1, 4), keypoints=keypoints, sigmoid=False)
        net.write(path, [classes, boxes], detector=detector)

    return write


def heads(order=("boxes", "scores"), activated=True, with_anchors=True):
    """The bundled model's own heads, without its last operator."""

    def write(path):
        net = Layout()
        last = net.graph.operators.pop()
        boxes, scores, anchor = (int(index) for index in last.inputs)
        if not activated:
            net.graph.operators.pop()
            scores = int(net.model.subgraphs[0].operators[-1].outputs[0])
        parts = {"boxes": boxes, "scores": scores}
        if not with_anchors:
            net.graph.tensors[anchor].shape = [1756 * 4]
        net.write(path, [parts[role] for role in order])

    return write


def original(order=(0, 1, 2, 3)):
    def write(path):
        net = Layout()
        outputs = [net.boxes, net.classes, net.scores, net.count]
        net.write(path, [outputs[k] for k in order])

    return write


def single(shape, names=(), said=None, others=(), softmax=False):
    """A model of other outputs altogether, computed from the detections' scores."""

    def write(path):
        net = Layout()
        outputs = []
        for one in (shape, *others):
            size = int(np.prod(one))
            weights = np.full((size, ROWS), 0.01)
            value = net.reshape(net.linear(net.scores, weights), one)
            outputs.append(net.unary("SOFTMAX", value) if softmax else value)
        net.write(path, outputs, names, said=said)

    return write


def odd_input(batch=1, second=False, dynamic=False):
    def write(path):
        net = Layout()
        image = net.graph.tensors[net.graph.inputs[0]]
        image.shape = [batch, SIDE, SIDE, 3]
        if dynamic:
            image.shapeSignature = [1, -1, -1, 3]
        if second:
            net.graph.inputs = [*net.graph.inputs, net.tensor([1, 2], "int32", name="orig_target_sizes")]
        net.write(path, [net.boxes, net.classes, net.scores, net.count])

    return write


def spec(name, **settings):
    return DecoderSpec(name=name, **settings)


def last_four(order, **settings):
    return spec("ssd-postprocess", order=order, **settings)


_YOLO = {"names": NAMES}
_SEG, _POSE, _OBB = {"task": "segment"}, {"task": "pose"}, {"task": "obb"}
_BSC, _NBSC = "boxes,scores,classes,count", "count,boxes,scores,classes"
_QUERY = {"rows": QUERIES}

# fmt: off
CASES = (
    # after NMS
    Case("TFLite_Detection_PostProcess, TF1 order", original(), "read", last_four("tf1")),
    Case("TFLite_Detection_PostProcess, TF2 order", original((2, 0, 3, 1)), "read", last_four("tf2")),
    Case("TFLite_Detection_PostProcess, any order", original((3, 1, 0, 2)), "read", last_four("count,classes,boxes,scores")),
    Case("four outputs, corners x y, shares (YOLOv5 --nms)", four(_BSC), "read", last_four(_BSC, box_format="xyxy")),
    Case("four outputs, classes as integers", four(_BSC, whole=True), "read", last_four(_BSC, box_format="xyxy")),
    Case("four outputs, count first, pixels (TensorRT-like)", four(_NBSC, scale=SIDE), "read", last_four(_NBSC, box_format="xyxy", box_units="pixels")),
    Case("four outputs named num_dets, det_boxes, …", four(_NBSC, scale=SIDE, names=("num_dets", "det_boxes", "det_scores", "det_classes"), whole=True), "read", last_four(_NBSC, box_format="xyxy", box_units="pixels")),
    Case("four outputs, classes before scores, y first", four("boxes,classes,scores,count", "yxyx"), "read", last_four("boxes,classes,scores,count")),
    Case("four outputs, centre and size", four("scores,classes,boxes,count", "xywh"), "read", last_four("scores,classes,boxes,count", box_format="xywh")),
    Case("four outputs, left, top and size, pixels", four(_BSC, "ltwh", SIDE), "read", last_four(_BSC, box_format="ltwh", box_units="pixels")),
    Case("three outputs without a count", four("boxes,scores,classes"), "read", last_four("boxes,scores,classes", box_format="xyxy")),
    Case("[1, 300, 6] in shares (nms=True)", end2end(), "read", spec("end2end")),
    Case("[1, 300, 6] in pixels", end2end(SIDE), "read", spec("end2end", box_units="pixels")),
    Case("[1, 300, 6] with end2end and names (YOLO26, YOLOv10)", end2end(SIDE, said={"end2end": True, "task": "detect"}), "read", spec("end2end")),
    Case("[1, 6, 300]", end2end(turned=True), "read", spec("end2end")),
    Case("[300, 6]", end2end(flat=True), "read", spec("end2end")),
    Case("[1, 300, 6], class before score", end2end(order=(0, 2, 1)), "read", spec("end2end", order="box,class,score")),
    Case("[1, 300, 6], y first", end2end(form="yxyx"), "read", spec("end2end", box_format="yxyx")),
    Case("[1, 300, 6], centre and size, pixels", end2end(SIDE, "xywh"), "read", spec("end2end", box_format="xywh")),
    Case("[1, 300, 7] image, box, class, score (YOLOv7)", end2end(order=(0, 2, 1), extra=(0,)), "refused", spec("end2end", order="-,box,class,score")),
    Case("[1, 300, 7] with an angle", rotated(), "refused", None),
    Case("[1, 300, 7] with an angle, task obb", rotated({"task": "obb"}), "refused", None),
    # boxes and scores
    Case("boxes and scores, corners in pixels (YOLO-NAS)", pair("boxes,scores", "xyxy", SIDE), "read", spec("boxes-scores", nms=AWARE)),
    Case("scores and boxes, corners in pixels (DAMO-YOLO)", pair("scores,boxes", "xyxy", SIDE), "read", spec("boxes-scores", nms=AWARE)),
    Case("boxes [1, N, 1, 4] and confs (YOLOv4)", pair("boxes,scores", "xyxy", boxes4d=True), "read", spec("boxes-scores", nms=AWARE)),
    Case("boxes and scores, y first", pair("boxes,scores", "yxyx"), "read", spec("boxes-scores", box_format="yxyx", nms=AWARE)),
    Case("boxes and scores, centre and size", pair("boxes,scores", "xywh"), "read", spec("boxes-scores", box_format="xywh", nms=AWARE)),
    Case("boxes [1, 4, N] and scores [1, C, N]", pair("boxes,scores", "xyxy", turned=True), "read", spec("boxes-scores", nms=AWARE)),
    Case("logits and boxes, queries (RT-DETR, D-FINE)", pair("scores,boxes", "xywh", scores="logits", **_QUERY), "read", spec("boxes-scores", box_format="xywh", activation="sigmoid", nms=NONE)),
    Case("boxes and logits with a background first (RF-DETR)", pair("boxes,scores", "xywh", scores="first", names=NAMES, **_QUERY), "read", spec("boxes-scores", box_format="xywh", activation="sigmoid", background="first", nms=NONE)),
    Case("logits with no-object last (DETR)", pair("scores,boxes", "xywh", scores="softmax", **_QUERY), "read", spec("boxes-scores", box_format="xywh", activation="softmax", background="last", nms=NONE)),
    Case("queries, corners, scores of 0…1", pair("boxes,scores", "xyxy", **_QUERY), "read", spec("boxes-scores", nms=NONE)),
    Case("[1, 300, 4 + C] (RT-DETR by Ultralytics)", table(rows=QUERIES), "read", spec("rtdetr")),
    # YOLO tables
    Case("YOLOv8 [1, 4 + C, N], shares", table(turned=True), "read", spec("yolov8")),
    Case("YOLOv8 [1, 4 + C, N], pixels", table(turned=True, scale=SIDE), "read", spec("yolov8")),
    Case("YOLOv8 [1, N, 4 + C]", table(), "read", spec("yolov8")),
    Case("YOLOv8 with logits", table(turned=True, logits=True), "read", spec("yolov8", activation="sigmoid")),
    Case("YOLOv8 with names", table(turned=True, **_YOLO), "read", spec("yolov8")),
    Case("YOLOv8 whose names contradict its columns", table(turned=True, names=("a", "b", "c")), "refused", spec("yolov8")),
    Case("YOLOv8-seg with names", table(turned=True, extra=32, proto=True, said=_SEG, **_YOLO), "read", spec("yolov8", extra_columns=32)),
    Case("YOLOv8-seg without names", table(turned=True, extra=32, proto=True), "read", spec("yolov8", extra_columns=32)),
    Case("YOLOv8-pose with names", table(turned=True, extra=51, said=_POSE, **_YOLO), "read", spec("yolov8", extra_columns=51)),
    Case("YOLOv8-pose without names", table(turned=True, extra=51), "read", spec("yolov8", extra_columns=51)),
    Case("YOLOv8-obb with its task", table(turned=True, angle=True, said=_OBB, **_YOLO), "refused", None),
    Case("YOLOv8-obb without names", table(turned=True, angle=True), "refused", None),
    Case("YOLOv5 [1, 3 N, 5 + C]", table("split", rows=3 * CELLS), "read", spec("yolov5")),
    Case("YOLOv5-seg", table("split", rows=3 * CELLS, extra=32, proto=True), "read", spec("yolov5", extra_columns=32)),
    Case("YOLOv6 (objectness 1, pixels)", table("ones", scale=SIDE), "read", spec("yolov6")),
    Case("YOLOX, boxes in their cells", yolox(), "read", spec("yolox")),
    Case("[1, N, 5 + C], objectness, decoded", table("split", scale=SIDE), "read", spec("yolov5")),
    Case("[1, N, columns] of which nothing is told", table("split", whole=True), "refused", spec("yolov5")),
    Case("raw grids, one box a cell, names (st_yolo_x)", yolox(levels=True, names=NAMES), "read", spec("yolo-levels", box_coding="yolox", activation="sigmoid")),
    Case("raw grids with anchors (YOLOv3, v4)", yolov3, "refused", spec("yolo-levels", box_coding="yolov3", activation="sigmoid", cell_scales=(40.0,) * 3, anchors=AnchorSpec(sizes=((30.0, 30.0),) * 3))),
    # raw heads
    Case("SSD heads, anchors in the file", heads(), "read", spec("ssd-raw", background=True), True),
    Case("SSD heads, scores first, logits", heads(("scores", "boxes"), activated=False), "read", spec("ssd-raw", background=True, activation="sigmoid"), True),
    Case("MediaPipe's heads, anchors in DETECTOR_METADATA", mediapipe(), "read", spec("ssd-raw", order="scores,boxes", anchors=AnchorSpec(source="metadata"), nms=NmsSpec(kind="regular", score_threshold=1e-8, iou_threshold=0.6)), True),
    Case("MediaPipe's heads with keypoints", mediapipe(6), "refused", None),
    Case("SSD heads without anchors", heads(with_anchors=False), "refused", None),
    # no detectors
    Case("a classifier", single([1, 1000], softmax=True), "refused", None),
    Case("a classifier by its task", single([1, 6], NAMES, {"task": "classify"}), "refused", None),
    Case("a segmenter", single([1, SIDE, SIDE, 2]), "refused", None),
    Case("FOMO", single([1, 18, 18, 7], softmax=True), "refused", None),
    Case("BlazeFace", single([1, 896, 16], others=([1, 896, 1],)), "refused", None),
    Case("MoveNet", single([1, 1, 17, 3]), "refused", None),
    # inputs
    Case("a fixed batch of 4", odd_input(batch=4), "refused", None),
    Case("two inputs", odd_input(second=True), "refused", None),
    Case("a dynamic input size", odd_input(dynamic=True), "refused", None),
)
# fmt: on
