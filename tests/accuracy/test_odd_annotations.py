"""Annotations and images may be odd in any way: a sentence says which; an image that cannot be read costs itself."""

import contextlib
import json
import struct
import zlib

import pytest
from PIL import Image

from harness.accuracy import coco, curves
from harness.accuracy.dataset import find_dataset
from harness.accuracy.evaluation_input import load
from harness.accuracy.image_files import UnreadableImageError, read_header, read_image
from harness.errors import DatasetError, HarnessError

DIGITS = "9" * 400
MANY = "9" * 5000


def png(path, width, height):
    """A PNG file that declares a size, with next to nothing in it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


def write(folder, change=lambda text: text, **image):
    """A data set of two images, the second of which is odd."""
    Image.new("RGB", (160, 120)).save(folder / "a.png")
    Image.new("RGB", (160, 120)).save(folder / "b.png")
    images = [
        {"id": k, "file_name": f"{name}.png", "width": 160, "height": 120} for k, name in ((1, "a"), (2, "b"))
    ]
    images[1].update(image)
    box = {"category_id": 1, "bbox": [10, 10, 30, 30], "area": 900, "iscrowd": 0}
    document = {
        "images": images,
        "categories": [{"id": 1, "name": "circle"}],
        "annotations": [{"id": k, "image_id": k, **box} for k in (1, 2)],
    }
    (folder / "instances.json").write_bytes(change(json.dumps(document).encode()))
    (folder / "found.json").write_text(
        json.dumps([{"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "score": 1}])
    )
    return folder


@pytest.mark.parametrize("side", [10**400, 10**20, 1e300])
def test_a_size_that_no_picture_has_is_refused(side, tmp_path):
    folder = write(tmp_path, width=side)
    for read in (
        lambda: find_dataset(folder),
        lambda: load(folder / "instances.json", folder / "found.json"),
    ):
        with pytest.raises(
            DatasetError, match=r"image 2: 'width' is .*, expected 1,000,000,000 pixels at most"
        ):
            read()


ODD = {
    "long name": {"file_name": "a" * 300},
    "long path": {"file_name": "a/" * 3000},
    "NUL": {"file_name": "a\0.png"},
    "half a character": {"file_name": "\udcff.png"},
    "folder": {"file_name": "."},
    "negative": {"width": -(10**30)},
}
CHANGES = {
    "id": lambda data: data.replace(b'"id": 2', b'"id": ' + DIGITS.encode()),
    "many digits": lambda data: data.replace(b'"id": 2', b'"id": "' + MANY.encode() + b'"'),
    "superscript": lambda data: data.replace(b'"id": 2', '"id": "²"'.encode()),
    "box": lambda data: data.replace(b"[10", b"[" + DIGITS.encode()),
    "area": lambda data: data.replace(b"900", DIGITS.encode()),
    "infinite": lambda data: data.replace(b"160", b"1e999"),
    "not UTF-8": lambda data: data.replace(b"circle", b"\xff\xfe"),
    "name not UTF-8": lambda data: data.replace(b"b.png", b"\xff.png"),
}


@pytest.mark.parametrize("image", ODD.values(), ids=ODD)
def test_an_odd_image_is_an_error_of_ours_or_passed_over(image, tmp_path):
    folder = write(tmp_path, **image)
    with contextlib.suppress(HarnessError):
        find_dataset(folder)
    with contextlib.suppress(HarnessError):
        load(folder / "instances.json", folder / "found.json")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_odd_value_is_an_error_of_ours_or_passed_over(change, tmp_path):
    folder = write(tmp_path, change)
    with contextlib.suppress(HarnessError):
        find_dataset(folder)
    with contextlib.suppress(HarnessError):
        load(folder / "instances.json", folder / "found.json")


@pytest.mark.parametrize("ids", [MANY, DIGITS, "²", "1\n\0"])
def test_an_image_id_that_is_no_number_is_named(ids, tmp_path):
    folder = write(tmp_path)
    (tmp_path / "ids.txt").write_text(ids, encoding="utf-8")
    with pytest.raises(HarnessError, match=r"line \d|image id|neither the id nor"):
        load(folder / "instances.json", folder / "found.json", tmp_path / "ids.txt")


def test_a_picture_that_would_fill_the_memory_costs_itself(tmp_path):
    huge = png(tmp_path / "b.png", 50_000, 50_000)
    for read in (read_header, read_image):
        with pytest.raises(UnreadableImageError, match="exceeds limit"):
            read(huge)
    folder = write(tmp_path)
    png(folder / "b.png", 50_000, 50_000)
    assert [image.path.name for image in find_dataset(folder).images] == ["a.png", "b.png"]


@pytest.mark.parametrize("engine", ["harness", "hotcoco", "pycocotools"])
def test_more_categories_than_fit_into_memory_are_refused_before_native_code_dies_of_them(
    engine, tmp_path, monkeypatch
):
    categories = json.dumps([{"id": k, "name": f"c{k}"} for k in range(1, 2001)]).encode()
    folder = write(tmp_path, lambda data: data.replace(b'[{"id": 1, "name": "circle"}]', categories))
    monkeypatch.setattr(curves, "room_bytes", lambda: 100e6)
    loaded = load(folder / "instances.json", folder / "found.json")
    with pytest.raises(DatasetError, match=r"found 2,000 categories, whose curves take 0\.4 GB, and 0\.1 GB"):
        coco.evaluate(loaded.truth, loaded.table, loaded.chosen, engine)
