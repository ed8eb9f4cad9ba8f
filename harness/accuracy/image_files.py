"""Image files: opened, and whatever is wrong with one told as one kind of error."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

_BROKEN = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
"""What Pillow raises for damaged files, for files that are no images, and for sizes that would fill the memory."""


class UnreadableImageError(Exception):
    """An image that cannot be decoded; counted and reported, the run goes on.

    Attributes:
        why: Pillow's words.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path.name}: {why}")
        self.why = why


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file for a block that decodes it.

    Raises:
        UnreadableImageError: It is not an image that Pillow can decode; also where the block finds that out.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                yield image
    except _BROKEN as error:
        raise UnreadableImageError(path, str(error)) from error
