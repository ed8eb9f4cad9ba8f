"""The short way to a JPEG's size says what Pillow says, or nothing."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from harness.accuracy.image_files import Header, read_header
from harness.accuracy.jpeg_header import plain_size

ORIENTED = Image.Exif()
ORIENTED[ExifTags.Base.Orientation] = 6
PLAIN = {
    "color": ("RGB", {}),
    "gray": ("L", {}),
    "progressive": ("RGB", {"progressive": True}),
    "with a comment": ("RGB", {"comment": b"of a camera"}),
    "with restarts": ("RGB", {"restart_marker_blocks": 2}),
}
LEFT_TO_PILLOW = {
    "turned": ("RGB", {"exif": ORIENTED}),
    "of a printer": ("CMYK", {}),
    "with a profile": ("RGB", {"icc_profile": b"x" * 3000}),
}


def jpeg(mode: str, options: dict) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (24, 17), 90 if mode == "L" else None).save(file, "JPEG", **options)
    return file.getvalue()


def pillow(path):
    """What Pillow says; None where it cannot open the file."""
    try:
        with Image.open(path) as image:
            return image.size, image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, ValueError, SyntaxError, IndexError, TypeError):
        return None


@pytest.mark.parametrize(("mode", "options"), PLAIN.values(), ids=PLAIN)
def test_a_plain_file_is_known_by_its_beginning(tmp_path, mode, options):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(mode, options))
    assert plain_size(path) == pillow(path)[0] == (24, 17)
    assert read_header(path) == Header((24, 17), (24, 17))


@pytest.mark.parametrize(("mode", "options"), LEFT_TO_PILLOW.values(), ids=LEFT_TO_PILLOW)
def test_what_says_more_is_left_to_pillow(tmp_path, mode, options):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(mode, options))
    assert plain_size(path) is None
    assert read_header(path).stored == (24, 17)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"], ids=["empty", "cut", "a PNG"]
)
def test_what_is_no_jpeg_is_left_to_pillow(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert plain_size(path) is None
    assert plain_size(tmp_path / "absent.jpg") is None


def test_of_a_damaged_file_it_says_what_pillow_says_or_nothing(tmp_path):
    path, rng, answered = tmp_path / "a.jpg", np.random.default_rng(1), 0
    for mode, options in (PLAIN | LEFT_TO_PILLOW).values():
        whole = jpeg(mode, options)
        for at in rng.integers(0, min(len(whole), 700), 60):
            damaged = bytearray(whole)
            damaged[at] = rng.choice([0, 1, 0xC1, 0xFF, int(rng.integers(256))])
            path.write_bytes(damaged if at % 2 else damaged[:at])
            size = plain_size(path)
            answered += size is not None
            assert size is None or pillow(path) == (size, 1)
    assert answered
