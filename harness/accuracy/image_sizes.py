"""Hold the sizes of a data set's images against the annotated ones, by the files' headers, before anything is measured.

Boxes of another size are boxes of other places: a picture that was scaled as a whole is used with its boxes scaled,
and any other difference is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.accuracy.image_files import Header, ImageFile, UnreadableImageError, fits, read_header
from harness.errors import DatasetError

_SHOWN = 3


@dataclass(frozen=True)
class Sized:
    """Images with how each of them is annotated, and what is remarkable of it, in sentences."""

    files: tuple[ImageFile, ...]
    remarks: tuple[str, ...] = ()


def check_sizes(files: Sequence[ImageFile], source: str) -> Sized:
    """Compare the sizes of images with the annotated ones.

    Args:
        files: The images; those that cannot be read, or have no annotated size, are left as they are.
        source: What says the sizes, for the error.

    Raises:
        DatasetError: Some have another size and are not the annotated pictures scaled as a whole; names them.
    """
    headers = [_header(file) for file in files]
    pairs = [(file, header) for file, header in zip(files, headers, strict=True) if header is not None]
    wrong = [(file, header) for file, header in pairs if fits(header, file) is None]
    if wrong:
        raise DatasetError(_refusal(wrong, len(files), source))
    as_stored = _as_stored(pairs)
    found = tuple(
        replace(file, as_stored=as_stored) if header is not None and header.turned else file
        for file, header in zip(files, headers, strict=True)
    )
    return Sized(found, (*_stored_remark(found), *_scaled_remark(pairs)))


def _header(file: ImageFile) -> Header | None:
    try:
        return read_header(file.path)
    except UnreadableImageError:
        return None


def _as_stored(pairs: Sequence[tuple[ImageFile, Header]]) -> bool:
    """Whether annotations are of the stored pictures: where the size tells, it is the stored one throughout."""
    told = [fits(header, file) for file, header in pairs if file.size and header.stored != header.upright]
    return bool(told) and all(file is not None and file.as_stored for file in told)


def _stored_remark(files: Sequence[ImageFile]) -> tuple[str, ...]:
    n = sum(file.as_stored for file in files)
    if not n:
        return ()
    return (
        f"the annotated sizes are those of the pictures as they are stored, so the EXIF orientation of {n} of "
        f"{len(files)} images is not applied",
    )


def _scaled_remark(pairs: Sequence[tuple[ImageFile, Header]]) -> tuple[str, ...]:
    scaled = [
        (file, header)
        for file, header in pairs
        if file.size and file.size not in {header.upright, header.stored}
    ]
    if not scaled:
        return ()
    return (
        f"{len(scaled)} of {len(pairs)} images have another size than annotated, scaled as a whole "
        f"({_sizes(*scaled[0])}); detections are in pixels of the annotated size",
    )


def _refusal(wrong: Sequence[tuple[ImageFile, Header]], n: int, source: str) -> str:
    listed = "; ".join(_sizes(file, header) for file, header in wrong[:_SHOWN])
    more = "; …" if len(wrong) > _SHOWN else ""
    return (
        f"{len(wrong)} of {n} images do not have the size that {source} states: {listed}{more}. Their boxes would be "
        "of other places: give the pictures that were annotated, or these scaled as a whole"
    )


def _sizes(file: ImageFile, header: Header) -> str:
    width, height = file.size or (0, 0)
    return f"{file.path.name} is {header.upright[0]}×{header.upright[1]}, annotated as {width}×{height}"
