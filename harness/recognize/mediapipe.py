"""Recognize MediaPipe's object detectors: raw heads whose anchors and coding are in the file's metadata."""

from __future__ import annotations

from harness.cards import AnchorSpec, DecoderSpec, NmsSpec
from harness.recognize.family import Facts, Family, Refusal, ssd_labels
from harness.tflite.detector_metadata import DetectorMetadata
from harness.tflite.metadata import BACKGROUND


def mediapipe(facts: Facts) -> Family | Refusal | None:
    """Recognize two outputs with `DETECTOR_METADATA` of as many anchors (`object_detector_metadata_schema.fbs`)."""
    said = facts.metadata.detector
    if said is None or len(facts.outputs) != 2:
        return None
    shapes = [info.shape for info in facts.outputs]
    boxes = next((k for k, shape in enumerate(shapes) if shape[-1] == 4), None)
    if said.n_keypoints or said.n_coordinates != 4 or not said.exponential:
        return _keypoints(said)
    if boxes is None or shapes[boxes][-2] != len(said.anchors):
        return Refusal(
            "a MediaPipe detector that contradicts its own metadata",
            (f"metadata: {len(said.anchors)} anchors, but the outputs are {shapes}.",),
        )
    return _family(facts, said, boxes, shapes[1 - boxes][-1])


def _keypoints(said: DetectorMetadata) -> Refusal:
    return Refusal(
        "a MediaPipe keypoint detector",
        (
            f"metadata: DETECTOR_METADATA speaks of {said.n_coordinates} numbers a box and {said.n_keypoints} "
            "keypoints; boxes of classes are measured only.",
        ),
    )


def _family(facts: Facts, said: DetectorMetadata, boxes: int, columns: int) -> Family:
    names = facts.metadata.labels
    background = len(names) == columns and bool(names) and names[0].lower() in BACKGROUND
    labels, label_evidence = ssd_labels(columns - background, facts.metadata)
    return Family(
        decoder=DecoderSpec(
            name="ssd-raw",
            order="boxes,scores" if boxes == 0 else "scores,boxes",
            scales=said.scales,
            activation="sigmoid" if said.sigmoid else "none",
            background=background,
            anchors=AnchorSpec(source="metadata"),
            nms=NmsSpec(kind="regular", score_threshold=0.001, iou_threshold=0.6),
        ),
        labels=labels,
        evidence=(
            f"decoder: DETECTOR_METADATA in the file holds {len(said.anchors)} anchors for a box and {columns} class "
            "scores each, as MediaPipe's object detectors have them.",
            "decoder.anchors, decoder.scales, decoder.activation: as DETECTOR_METADATA states them.",
            label_evidence,
        ),
        normalization=(127.5, 127.5),
    )
