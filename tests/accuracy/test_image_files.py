"""Whatever is wrong with an image file is one kind of error, with Pillow's words."""

import struct
import zlib

import pytest
from PIL import Image

from harness.accuracy.image_files import UnreadableImageError, opened


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
