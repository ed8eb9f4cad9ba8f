"""TFRecord files that TensorFlow wrote, read without it: recorded ones here, fresh ones where TensorFlow is."""

import gzip
import io
import json
import shutil
import struct
from pathlib import Path

import pytest
from PIL import Image

from harness.accuracy.dataset import find_dataset, read_truth
from harness.accuracy.foreign.label_map import read_label_map
from harness.accuracy.foreign.records import crc32c, masked_crc, read_example, read_records
from harness.accuracy.image_files import read_header
from harness.errors import DatasetError

RECORDED = Path(__file__).parent / "tfrecords"
VAL = "val.record"
SIDES = ("xmin", "ymin", "xmax", "ymax")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the recorded files, and a cache of its own."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(RECORDED, tmp_path / "data"))


def write(path, *records):
    path.write_bytes(b"".join(map(framed, records)))
    return path


def framed(data):
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


def message(number, data):
    assert len(data) < 1 << 14
    return bytes([number << 3 | 2, len(data) & 0x7F | 0x80, len(data) >> 7]) + data


def example(**features):
    """Encode an Example: bytes and lists of bytes, integers below 128, or floats."""

    def feature(values):
        values = values if isinstance(values, list) else [values]
        if isinstance(values[0], bytes):
            return message(1, b"".join(message(1, value) for value in values))
        if isinstance(values[0], float):
            return message(2, message(1, struct.pack(f"<{len(values)}f", *values)))
        return message(3, message(1, bytes(values)))

    pairs = {name.replace("__", "/"): value for name, value in features.items()}
    entries = (message(1, message(1, name.encode()) + message(2, feature(v))) for name, v in pairs.items())
    return message(1, b"".join(entries))


def test_a_file_is_a_data_set_with_the_names_of_its_label_map(folder):
    dataset = find_dataset(folder / VAL)
    assert dataset.categories == {1: "cat", 2: "dog"}
    assert dataset.image_ids == (7, 8, 42) and dataset.n_annotations == 3
    assert [image.path.suffix for image in dataset.images] == [".png", ".png", ".jpg"]
    assert all(read_header(image.path).upright == image.size == (32, 24) for image in dataset.images)


def test_boxes_become_pixels_and_areas_and_crowds_are_those_of_the_record(folder):
    dataset = find_dataset(folder / VAL)
    rows = json.loads(dataset.annotations.read_bytes())["annotations"]
    of = {(row["image_id"], row["category_id"]): row for row in rows}
    assert of[42, 1]["bbox"] == [8, 12, 16, 12] and of[42, 2]["bbox"] == [0, 0, 32, 24]
    assert {row["area"] for row in rows} == {50.0}
    assert [of[key]["iscrowd"] for key in ((42, 1), (42, 2), (8, 2))] == [0, 1, 0]
    assert len(read_truth(dataset)) == 3


def test_shards_are_one_data_set_and_one_may_be_compressed(folder):
    pattern = find_dataset(folder / "train.tfrecord-?????-of-00002")
    assert pattern.image_ids == (8, 42)
    assert find_dataset(Path(f"{folder}:train")).image_ids == (8, 42)
    assert find_dataset(folder).image_ids == (7, 8, 42), "of a folder, val is evaluated"


def test_a_part_of_the_shards_never_stands_for_all_of_them(folder):
    (folder / VAL).unlink()
    (folder / "train.tfrecord-00001-of-00002").unlink()
    for named in (folder, folder / "train.tfrecord-?????-of-00002", folder / "train.tfrecord-*-of-00002"):
        with pytest.raises(DatasetError, match="1 of 2 shards; expected all"):
            find_dataset(named)
    alone = folder / "train.tfrecord-00000-of-00002"
    assert len(find_dataset(alone).image_ids) == 1, "one that is named is meant"
    shutil.copy(alone, folder / "train.tfrecord-00000-of-00001")
    with pytest.raises(DatasetError, match="of one set"):
        find_dataset(folder)


def test_images_are_written_once_and_again_when_the_file_changes(folder):
    first = find_dataset(folder / VAL).annotations
    stamp = first.stat().st_mtime_ns
    assert find_dataset(folder / VAL).annotations == first and first.stat().st_mtime_ns == stamp
    write(folder / VAL, next(read_records(RECORDED / VAL)))
    assert find_dataset(folder / VAL).image_ids == (42,)


def test_without_a_label_map_the_names_are_those_of_the_records(folder):
    (folder / "label_map.pbtxt").unlink()
    assert find_dataset(folder / VAL).categories == {1: "cat", 2: "dog"}


def damaged(path, at, change=lambda byte: byte ^ 1):
    data = bytearray(path.read_bytes())
    data[at] = change(data[at])
    path.write_bytes(data)


def test_damage_is_found_by_the_checksums_and_named_by_its_record(folder):
    whole = (folder / VAL).read_bytes()
    damaged(folder / VAL, 3)
    with pytest.raises(DatasetError, match=r"record 1: the checksum of its length is wrong"):
        find_dataset(folder / VAL)
    (folder / VAL).write_bytes(whole)
    damaged(folder / VAL, len(whole) - 40)
    with pytest.raises(DatasetError, match=r"record 3: its checksum is wrong"):
        find_dataset(folder / VAL)
    (folder / VAL).write_bytes(whole[:-10])
    with pytest.raises(DatasetError, match=r"record 3: .* bytes were announced"):
        find_dataset(folder / VAL)
    (folder / VAL).write_bytes(whole + b"\0\0")
    with pytest.raises(DatasetError, match=r"record 4: the file ends in the record's length"):
        find_dataset(folder / VAL)
    (folder / VAL).write_bytes(gzip.compress(whole)[:-20])
    with pytest.raises(DatasetError, match=r"val\.record"):
        find_dataset(folder / VAL)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (b"\x99", "is no tf.train.Example"),
        (b"", "found no features, expected image/encoded"),
        (example(label=3), "found label, expected image/encoded"),
        (example(image__encoded=b"GIF89a"), "begins with 47494638, expected a JPEG or a PNG"),
    ],
)
def test_what_holds_no_images_of_a_detector_is_named(folder, record, says):
    with pytest.raises(DatasetError, match=says):
        find_dataset(write(folder / VAL, record))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"xmax": [0.1]}, "expected xmin ≤ xmax"),
        ({"xmax": [300.0]}, "as shares of 0…1"),
        ({"xmax": [0.5, 0.5]}, r"found \[1, 1, 2, 1\] xmin"),
        ({"label": [1, 2], "text": [b"cat", b"dog"]}, "found 1 boxes and 2 classes"),
        (
            {"label": [9], "text": [b"cow"]},
            r"found the class 9 \(cow\), which .*label_map.pbtxt does not have",
        ),
        ({"text": [b"dog"]}, "an object is 'dog' with the id 1, which .* calls 'cat'"),
    ],
)
def test_labels_that_cannot_be_right_are_named_with_their_record(folder, changes, says):
    image = read_example(next(read_records(RECORDED / VAL)))["image/encoded"][0]
    given = {
        "xmin": [0.25],
        "ymin": [0.0],
        "xmax": [0.5],
        "ymax": [1.0],
        "label": [1],
        "text": [b"cat"],
    } | changes
    places = {"label": "class__", "text": "class__"}
    boxes = {f"image__object__{places.get(key, 'bbox__')}{key}": value for key, value in given.items()}
    path = write(folder / VAL, example(image__encoded=image, **boxes))
    with pytest.raises(DatasetError, match=says):
        find_dataset(path)


def test_a_label_map_gives_names_ids_and_the_line_of_a_fault(tmp_path):
    shown, known = read_label_map(RECORDED / "label_map.pbtxt")
    assert shown == {1: "cat", 2: "dog"} and known == {"/m/01yrx": 1, "cat": 1, "dog": 2}
    path = tmp_path / "map.pbtxt"
    for text, says in (
        ("item { id: 1 }", "line 1: an item without an id or a name"),
        ("item {\n id: 1 name: 'a' }\nitem { id: 1 name: 'b' }", "line 3: the id 1 stands there twice"),
        ("item { id: 1 name: 'a'", "an item that does not end"),
        ("}", "without its beginning"),
        ("item { id = 1 }", "line 1: found '= 1 }'"),
        ("", "no items"),
    ):
        path.write_text(text)
        with pytest.raises(DatasetError, match=says):
            read_label_map(path)


def pictures(*named, colours=None):
    """Records of small pictures of their own colours, each with a file name and an id (none where it is empty)."""
    for index, (name, source_id) in enumerate(named):
        stream = io.BytesIO()
        Image.new("RGB", (4, 4), (40 * (colours or range(9))[index], 9, 9)).save(stream, "PNG")
        texts = {"image__filename": name, "image__source_id": source_id}
        sides = {f"image__object__bbox__{side}": [float(side[1:] == "max")] for side in SIDES}
        features = {"image__encoded": stream.getvalue(), "image__object__class__label": [1], **sides}
        yield example(**features, **{key: text for key, text in texts.items() if text})


def colours(dataset):
    return {image.path.name: Image.open(image.path).getpixel((0, 0))[0] // 40 for image in dataset.images}


def test_images_of_one_name_in_different_folders_are_different_images(folder):
    named = [(b"a/001.jpg", b""), (b"b/001.jpg", b""), (b"c/001.jpg", b""), (b"b_001.png", b"")]
    found = colours(find_dataset(write(folder / VAL, *pictures(*named))))
    assert found == {"001.png": 0, "b_001.png": 1, "c_001.png": 2, "val-000004.png": 3}


def test_images_that_are_all_called_alike_are_told_apart_by_their_ids(folder):
    named = [(b"image.jpg", b"11"), (b"image.jpg", b"12"), (b"", b"13"), (b"", b"")]
    found = colours(find_dataset(write(folder / VAL, *pictures(*named))))
    assert found == {"image.png": 0, "image_12.png": 1, "13.png": 2, "val-000004.png": 3}


def test_images_without_a_name_are_told_apart_over_all_shards(folder):
    for shard, picture in enumerate(pictures((b"", b""), (b"", b""))):
        write(folder / f"more.record-0000{shard}-of-00002", picture)
    assert colours(find_dataset(folder / "more.record-?????-of-00002")) == {
        "more-000001.png": 0,
        "more-000002.png": 1,
    }


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (
            0,
            r"record 3 and .*val\.record, record 1 are of one image, 'a/001\.jpg'; expected one record an image",
        ),
        (5, r"record 3 and .*val\.record, record 1 hold different images that are both called 'a/001\.jpg'"),
    ],
)
def test_two_records_that_cannot_be_told_apart_are_named(folder, second, says):
    named = [(b"a/001.jpg", b""), (b"a/002.jpg", b""), (b"a/001.jpg", b"")]
    with pytest.raises(DatasetError, match=says):
        find_dataset(write(folder / VAL, *pictures(*named, colours=(0, 1, second))))


def test_which_of_several_files_is_meant_must_be_said(folder):
    (folder / VAL).rename(folder / "one.record")
    shutil.copy(folder / "one.record", folder / "two.record")
    for shard in folder.glob("train*"):
        shard.unlink()
    with pytest.raises(DatasetError, match=r"it is open which TFRecord files are meant \(.*data:one"):
        find_dataset(folder)
    assert find_dataset(Path(f"{folder}:two")).image_ids == (7, 8, 42)


def test_the_checksum_is_that_of_the_standard():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA, "RFC 3720, B.4"
    assert crc32c(bytes(range(32))) == 0x46DD794E
    data = bytes(range(256)) * 9
    assert [crc32c(data[:n]) for n in (256, 300)] == [_slowly(data[:n]) for n in (256, 300)]


def _slowly(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.tensorflow
def test_what_tensorflow_writes_now_is_read_as_tensorflow_reads_it(tmp_path):
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra `convert`)")
    numbers = tf.train.Feature(int64_list=tf.train.Int64List(value=[-1, 0, 1 << 40]))
    shares = tf.train.Feature(float_list=tf.train.FloatList(value=[0.1, -2.5]))
    texts = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a" * 70_000, b""]))
    written = {"numbers": numbers, "shares": shares, "texts": texts, "none": tf.train.Feature()}
    path = tmp_path / "x.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(tf.train.Example(features=tf.train.Features(feature=written)).SerializeToString())
    (data,) = read_records(path)
    assert data == next(iter(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()))
    found = read_example(data)
    assert found == {
        "numbers": (-1, 0, 1 << 40),
        "shares": tuple(shares.float_list.value),
        "texts": (b"a" * 70_000, b""),
        "none": (),
    }
