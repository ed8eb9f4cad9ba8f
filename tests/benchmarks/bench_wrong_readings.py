"""Read models and data wrongly on purpose, and see how each run ends; then run what is right, and count the alarms.

    python tests/benchmarks/bench_wrong_readings.py [MODEL.tflite DATASET]... [--healthy] [--seconds S]

Without arguments the bundled float model is read wrongly; its card publishes nothing here, so that no figure tells.
With --healthy the pairs are run as they are, with three kinds of kernels. `--seconds` is spent on other preparations
even after a short run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.accuracy.dataset import find_dataset
from harness.bench import preparations
from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.cards import ModelCard
from harness.edit.card_toml import to_toml
from harness.errors import HarnessError
from harness.recognize.find import find_model
from harness.records.records import load_records
from harness.session import carry_out, prepare
from harness.settings import Settings
from harness.workspace import find_workspace

ROOT = Path(__file__).resolve().parents[2]
SHAPES = (str(ROOT / "models" / "shapes-float32.toml"), str(ROOT / "models" / "shapes" / "dataset"))
BY_ALPHABET, EXCHANGED = (1, 5, 4, 6, 2, 3), (2, 1, 3, 4, 5, 6)

# fmt: off
INPUTS = {
    "input 0…1":             {"mean": (0.0,) * 3, "std": (255.0,) * 3},
    "input -1…1":            {"mean": (127.5,) * 3, "std": (127.5,) * 3},
    "input ImageNet":        {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)},
    "input pixels":          {"mean": (0.0,) * 3, "std": (1.0,) * 3},
    "BGR for RGB":           {"channels": "bgr"},
    "letterbox, centered":   {"resize": "letterbox", "pad_position": "center"},
    "letterbox, at a corner": {"resize": "letterbox", "pad_position": "corner"},
    "stretched":             {"resize": "stretch"},
}
DECODERS = {
    "classes for scores":    {"order": "boxes,scores,classes,count"},
    "x and y swapped":       {"box_format": "xyxy"},
    "shares for pixels":     {"box_units": "pixels"},
    "boxes as corners":      {"box_format": "xyxy", "name": "yolov5"},
}
LABELS = {
    "labels by the alphabet": BY_ALPHABET,
    "two labels exchanged":  EXCHANGED,
    "labels one too high":   (2, 3, 4, 5, 6, 1),
    "all labels the same":   (1,) * 6,
    "labels of no category": (11, 12, 13, 14, 15, 16),
}
PICTURES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "images mirrored":       ImageOps.mirror,
    "images upside down":    ImageOps.flip,
    "images turned by 180°": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "images turned by 90°":  lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "images of half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
}
# fmt: on


def run(card: ModelCard, data: str, folder: Path, delegates: tuple[str, ...] = ("cpu:1",)) -> list[str]:
    """Run a card on data and return how each row ends."""
    (folder / "card.toml").write_text(to_toml(card, "wrong on purpose"), encoding="utf-8")
    request = Request(
        models=(str(folder / "card.toml"),),
        delegates=delegates,
        dataset=data,
        settings=Settings(latency=False),
        workspace=str(ROOT),
        output=str(folder / "results"),
    )
    try:
        outcome = carry_out(prepare(request), Silent())
    except HarnessError as error:
        return [f"refused: {str(error)[:100]}"]
    return [_end(stored.record) for stored in load_records(outcome.folder)]


def _end(record) -> str:
    accuracy = record.accuracy
    figures = accuracy.figures if accuracy else None
    checks = ", ".join(f"{one.name} ({one.verdict})" for one in accuracy.checks) if accuracy else ""
    others = "" if checks or not record.reasons else f"reason: {record.reasons[0][:90]}"
    return f"{record.status}  mAP {figures.map if figures else float('nan'):.3f}  {checks or others or '—'}"


def wrong_cards(card: ModelCard):
    """Yield (words, card) of every wrong reading that the card's family knows."""
    for words, changes in INPUTS.items():
        other = replace(card.input, **changes)
        if other != card.input and not (card.input.mean is None and "mean" in changes):
            yield words, replace(card, input=other)
    for words, changes in DECODERS.items():
        ssd = card.decoder.name == "ssd-postprocess"
        if ssd == ("name" not in changes):
            yield words, replace(card, decoder=replace(card.decoder, **changes))
    if card.labels.names is not None and len(card.labels.names) == 6:
        for words, ids in LABELS.items():
            yield words, replace(card, labels=replace(card.labels, names=None, ids=ids))


def wrong_pictures(data: Path, folder: Path):
    """Yield (words, folder of the data set) with every image changed."""
    for words, change in PICTURES.items():
        target = folder / "data"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(data, target)
        for entry in find_dataset(data).images:
            with Image.open(entry.path) as image:
                change(image).save(target / entry.path.relative_to(data))
        yield words, target
    for words, wrong in (("images of others", _shuffled), ("a tenth unreadable", _broken)):
        shutil.rmtree(folder / "data", ignore_errors=True)
        shutil.copytree(data, folder / "data")
        wrong(folder / "data")
        yield words, folder / "data"


def _shuffled(data: Path) -> None:
    (path,) = data.glob("instances*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    names = [image["file_name"] for image in content["images"]]
    for image, name in zip(content["images"], names[1:] + names[:1], strict=True):
        image.update(file_name=name, width=0, height=0)
    path.write_text(json.dumps(content), encoding="utf-8")


def _broken(data: Path) -> None:
    for entry in find_dataset(data).images[::10]:
        entry.path.write_bytes(b"")


def unpublished(model: str) -> ModelCard:
    """Return a card by its path or worked out from a file, without figures and with absolute paths."""
    found = find_model(model, find_workspace(ROOT))
    source = replace(found.card.source, path=str(found.file.resolve()))
    return replace(found.card, source=source, published=(), dataset=None)


def main() -> None:
    """Print one line a wrong reading, or a healthy pair."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="*", default=[])
    parser.add_argument("--healthy", action="store_true")
    parser.add_argument("--seconds", type=float, default=preparations.LEAST_SECONDS)
    given = parser.parse_args()
    preparations.LEAST_SECONDS = given.seconds
    pairs = list(zip(given.pairs[::2], given.pairs[1::2], strict=True)) or [SHAPES]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for model, data in pairs:
            card = unpublished(model)
            if given.healthy:
                kernels = ("cpu:1", "cpu:4", "cpu-reference:1")
                for delegate, end in zip(kernels, run(card, data, folder, kernels), strict=False):
                    print(f"{card.name:32} {delegate:16} {end}", flush=True)
                continue
            for words, wrong in wrong_cards(card):
                print(f"{card.name:20} {words:26} {run(wrong, data, folder)[0]}", flush=True)
            if (model, data) == SHAPES:
                for words, target in wrong_pictures(Path(data), folder):
                    print(f"{card.name:20} {words:26} {run(card, str(target), folder)[0]}", flush=True)


if __name__ == "__main__":
    main()
