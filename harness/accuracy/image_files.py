"""Image files as their annotations mean them: upright, 8-bit RGB, with the annotated size known.

Label tools show a picture turned by its EXIF orientation, so its boxes are of the upright picture. Whatever is wrong
with a file is told as one kind of error.
"""

from __future__ import annotations

import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import ExifTags, Image

from harness.accuracy.pixel_modes import UnknownPixelsError, to_rgb
from harness.errors import HostFaultError, UsageError, cannot_read, is_host_fault
from harness.paths import status

Size = tuple[int, int]
"""Width and height in pixels."""
_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow raises for damaged files, for files that are no images, and for sizes that would fill the memory."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a stored picture upright, by the EXIF tag Orientation (CIPA DC-008, 4.6.5.1.6)."""
_SIDEWAYS = frozenset({5, 6, 7, 8})
_WIDTH, _HEIGHT = 256, 257
"""TIFF's tags."""


class UnreadableImageError(Exception):
    """An image that cannot be decoded; counted and reported, the run goes on.

    Attributes:
        why: Pillow's words.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path.name}: {why}")
        self.why = why


@dataclass(frozen=True)
class ImageFile:
    """An image file and how it is annotated.

    Attributes:
        path: The file.
        size: Of the picture that the boxes are of; None where the annotations do not say.
        as_stored: Whether the boxes are of the picture as it is stored, not turned by its EXIF orientation.
    """

    path: Path
    size: Size | None = None
    as_stored: bool = False


@dataclass(frozen=True)
class Header:
    """What the beginning of an image file says: its size as stored and as it is shown, and whether they are turned."""

    stored: Size
    upright: Size
    turned: bool = False


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file for a block that decodes it.

    Raises:
        UnreadableImageError: It is not an image that Pillow can decode; also where the block finds that out.
        HostFaultError: This computer cannot read it: its disk fails, or a right is missing. No fault of the image.
    """
    _refuse_no_file(path)
    try:
        with warnings.catch_warnings():
            # What spoils the pixels is raised; what is wrong with the metadata spoils nothing.
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\b")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                yield image
    except UnknownPixelsError as error:
        raise UnreadableImageError(path, str(error)) from error
    except _BROKEN as error:
        if isinstance(error, OSError) and is_host_fault(error):
            raise HostFaultError(cannot_read(path, error)) from error
        raise UnreadableImageError(path, str(error) or type(error).__name__) from error


def _refuse_no_file(path: Path) -> None:
    """Refuse what is there and is no file: a pipe would be waited for."""
    try:
        found = status(path)
    except UsageError as error:
        raise HostFaultError(str(error)) from error
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise UnreadableImageError(path, "is no file")


def read_header(path: Path) -> Header:
    """Read an image's size without decoding it.

    Raises:
        UnreadableImageError: It is not an image.
    """
    with opened(path) as image:
        orientation = _orientation(image)
        sideways = orientation in _SIDEWAYS
        tags = getattr(image, "tag_v2", None)  # of a TIFF, which Pillow turns by itself
        stored = image.size if tags is None else (tags[_WIDTH], tags[_HEIGHT])
        return Header(stored, stored[::-1] if sideways else stored, orientation in _TURNS)


def read_image(file: ImageFile | Path, near: int | None = None) -> Image.Image:
    """Read an image as 8-bit RGB, upright unless it is annotated as it is stored.

    Args:
        file: The file. Its pixels are not scaled to the annotated size.
        near: A side in pixels; a JPEG may be decoded at a fraction of its size that is not below it, which is faster.

    Raises:
        UnreadableImageError: It cannot be decoded, or nothing says which brightness its pixels mean.
    """
    source = file if isinstance(file, ImageFile) else ImageFile(file)
    with opened(source.path) as image:
        turn = _TURNS.get(_orientation(image))
        if near is not None:
            image.draft("RGB", (near, near))
        image.load()
        is_upright = turn is None or _orientation(image) == 1  # Pillow turns a TIFF while it decodes it
        pixels = to_rgb(image)
        if turn is None or is_upright != source.as_stored:
            return pixels
        return pixels.transpose(_reverse(turn) if is_upright else turn)


def _reverse(turn: Image.Transpose) -> Image.Transpose:
    quarter = {
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
    }
    return quarter.get(turn, turn)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1, upright, where there is none or the metadata are damaged."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _BROKEN:
        return 1
    return found if isinstance(found, int) else 1


def fits(header: Header, file: ImageFile) -> ImageFile | None:
    """Return how an image is annotated, by the sizes of both; None where no way fits.

    A picture that was scaled as a whole fits too. The upright picture comes first.
    """
    if file.size is None:
        return file
    for scaled in (False, True):
        for size, as_stored in ((header.upright, False), (header.stored, True)):
            if size == file.size or (scaled and is_scaled(size, file.size)):
                return file if file.as_stored == as_stored else replace(file, as_stored=as_stored)
    return None


def is_scaled(size: Size, annotated: Size) -> bool:
    """Whether a size is a multiple or fraction of another: one factor for both sides, each rounded to whole pixels."""
    ends = [((pixels - 1) / side, (pixels + 1) / side) for pixels, side in zip(size, annotated, strict=True)]
    return max(low for low, _ in ends) < min(high for _, high in ends)
