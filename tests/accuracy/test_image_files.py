"""Whatever is wrong with an image file is one kind of error, with Pillow's words."""

import errno
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from harness.accuracy import image_files
from harness.accuracy.image_files import (
    ImageFile,
    UnreadableImageError,
    is_scaled,
    opened,
    read_header,
    read_image,
)
from harness.errors import HostFaultError


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims a size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + data
    )


@pytest.mark.parametrize("side", [10_000, 100_000])
def test_a_size_that_would_fill_the_memory_is_refused_however_large_it_is(tmp_path, side):
    path = tmp_path / "huge.png"
    path.write_bytes(png_of(side, side))
    with pytest.raises(UnreadableImageError, match=r"huge\.png: .*pixels.*decompression bomb"), opened(path):
        pytest.fail("it was opened")


def test_what_is_found_while_decoding_counts_too(tmp_path):
    path = tmp_path / "half.png"
    Image.new("RGB", (64, 64), "red").save(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UnreadableImageError) as caught, opened(path) as image:
        image.load()
    assert str(caught.value) == f"half.png: {caught.value.why}"


def test_a_missing_file_is_named(tmp_path):
    with (
        pytest.raises(UnreadableImageError, match=r"absent\.png: .*No such file"),
        opened(tmp_path / "absent.png"),
    ):
        pass


# -- as annotated ------------------------------------------------------------------------------------------------

UPRIGHT = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(5, 3, 3) * 5
"""3 wide, 5 high; no two turns of it are equal."""
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT, 1),
    7: np.rot90(UPRIGHT, 2).transpose(1, 0, 2),
    8: np.rot90(UPRIGHT, -1),
}
"""What lies in a file of each EXIF orientation (CIPA DC-008, 4.6.5.1.6)."""


def turned(path, orientation, pixels=None):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(STORED[orientation] if pixels is None else pixels)).save(
        path, exif=exif
    )
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_picture_is_upright_and_so_is_its_size(tmp_path, orientation, suffix):
    path = turned(tmp_path / f"a.{suffix}", orientation)
    assert np.asarray(read_image(path)).tolist() == UPRIGHT.tolist()
    assert read_header(path).upright == (3, 5)
    assert read_header(path).stored == STORED[orientation].shape[1::-1]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_picture_annotated_as_stored_is_not_turned(tmp_path, orientation, suffix):
    path = turned(tmp_path / f"a.{suffix}", orientation)
    found = read_image(ImageFile(path, as_stored=True))
    assert np.asarray(found).tolist() == STORED[orientation].tolist()


def test_a_jpeg_is_turned_as_opencv_turns_it(tmp_path):
    cv2 = pytest.importorskip("cv2")
    pixels = np.kron(STORED[6], np.ones((16, 16, 1), np.uint8))
    path = turned(tmp_path / "a.jpg", 6, pixels)
    found = np.asarray(read_image(path)).astype(int)
    assert found.shape == (80, 48, 3)
    assert np.abs(found - cv2.imread(str(path))[:, :, ::-1].astype(int)).max() <= 2


@pytest.mark.parametrize("data", [b"Exif\x00\x00broken", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b""])
def test_damaged_metadata_turn_nothing(tmp_path, data):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (6, 4)).save(path, exif=data)
    assert read_image(path).size == (6, 4)


def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path):
    assert read_image(turned(tmp_path / "a.png", 1, STORED[6])).size == (5, 3)
    exif = Image.Exif()
    exif[0x0112] = 99
    Image.fromarray(UPRIGHT).save(tmp_path / "b.png", exif=exif)
    assert np.asarray(read_image(tmp_path / "b.png")).tolist() == UPRIGHT.tolist()


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0"])
def test_empty_and_foreign_files_are_unreadable(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadableImageError, match=r"a\.jpg: ."):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("size", "annotated", "fit"),
    [
        ((320, 213), (640, 427), True),
        ((320, 214), (640, 427), True),
        ((1280, 854), (640, 427), True),
        ((416, 312), (640, 480), True),
        ((427, 640), (640, 427), False),
        ((300, 300), (640, 480), False),
        ((640, 360), (640, 480), False),
    ],
)
def test_one_factor_for_both_sides_is_a_scaled_picture(size, annotated, fit):
    assert is_scaled(size, annotated) is fit


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES])
def test_what_this_computer_cannot_read_is_no_unreadable_image(tmp_path, monkeypatch, number):
    def fails(path):
        raise OSError(number, os.strerror(number))

    (tmp_path / "a.jpg").write_bytes(b"")
    monkeypatch.setattr(image_files.Image, "open", fails)
    with pytest.raises(HostFaultError, match=rf"a\.jpg: cannot be read \({os.strerror(number)}\)"):
        read_image(tmp_path / "a.jpg")


def test_a_pipe_or_a_folder_in_the_place_of_an_image_is_unreadable_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").mkdir()
    for name in ("a.jpg", "b.jpg"):
        with pytest.raises(UnreadableImageError, match="is no file"):
            read_image(tmp_path / name)
