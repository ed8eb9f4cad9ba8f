"""Records of stored runs, changed after the fact."""

import json

import msgspec

from harness.accuracy.annotations import read_annotations
from harness.accuracy.coco import evaluate
from harness.accuracy.detections import load_detections
from harness.records import records
from harness.records.records import AccuracyFacts, Record
from harness.records.sealed import KEY
from tests.support.paths import DATASET


def read_unsealed(path):
    """Read a stored fact as plain values without its checksum, so that it can be changed and written back."""
    data = json.loads(path.read_text(encoding="utf-8"))
    data.pop(KEY, None)
    return data


def replace_text(path, old, new):
    """Replace a text in a stored fact, as a program that knows of no checksum may have written it."""
    plain = json.dumps(read_unsealed(path), ensure_ascii=False, indent=1)
    assert old in plain, f"{path}: no {old}"
    path.write_text(plain.replace(old, new), encoding="utf-8")


def change_record(folder, **parts):
    """Change top-level keys of a stored record; a mapping is merged into what is there."""
    path = folder / "record.json"
    data = read_unsealed(path)
    for key, value in parts.items():
        data[key] = {**data[key], **value} if isinstance(value, dict) and data.get(key) else value
    path.write_text(json.dumps(data), encoding="utf-8")


def give_detections(folder, shift, limit=60):
    """Give a cell the detections of a model that finds every object `shift` pixels off, and some thing wrong."""
    truth = read_annotations(next(DATASET.rglob("instances*.json")))
    ids = sorted(image.id for image in truth.images)[:limit]
    raw = json.loads(truth.path.read_text(encoding="utf-8"))["annotations"]
    found = [
        {
            "image_id": a["image_id"],
            "category_id": a["category_id"],
            "bbox": [a["bbox"][0] + shift * (1 + n % 7) / 4, *a["bbox"][1:]],
            "score": 0.3 + 0.6 * ((n * 37) % 100) / 100,
        }
        for n, a in enumerate(raw)
        if a["image_id"] in set(ids) and n % 5
    ]
    (folder / "detections.json").write_text(json.dumps(found), encoding="utf-8")
    record = records.load(folder / "record.json", Record)
    facts = AccuracyFacts(
        status="ok",
        dataset="shapes",
        annotations_sha256=truth.sha256,
        n_images=limit,
        figures=_figures(truth, folder / "detections.json", ids),
        detections="detections.json",
    )
    change_record(
        folder, accuracy=json.loads(msgspec.json.encode(facts)), settings={**record.settings, "limit": limit}
    )


def _figures(truth, file, ids):
    figures = evaluate(truth, load_detections(file), ids).figures
    names = records.CocoFigures.__struct_fields__
    return records.CocoFigures(**{name: getattr(figures, name) for name in names})
