"""Representative data: a folder of images, or prepared arrays in a .npy or .npz file."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.accuracy.image_files import UnreadableImageError
from harness.accuracy.prepare import Preparation
from harness.errors import DatasetError
from harness.paths import exists, expand_user, files_below, is_file, is_folder, opened

Tensor = npt.NDArray[np.generic]
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm"})
ARRAYS = frozenset({".npy", ".npz"})


@dataclass(frozen=True)
class Images:
    """Image files; each is prepared as the model's card says."""

    source: Path
    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)

    def names(self) -> list[str]:
        """Return the files' names."""
        return [path.name for path in self.files]

    def tensors(self, preparation: Preparation, indices: Sequence[int] | None = None) -> Iterator[Tensor]:
        """Yield the input tensor, batch of 1, of each image that can be read."""
        for index in range(len(self.files)) if indices is None else indices:
            try:
                yield preparation.load(self.files[index])[0]
            except UnreadableImageError:
                continue


@dataclass(frozen=True)
class Arrays:
    """Input values that somebody prepared: [N, H, W, 3], fed as they are."""

    source: Path
    values: npt.NDArray[np.generic]

    def __len__(self) -> int:
        return len(self.values)

    def names(self) -> list[str]:
        """Return a name for each sample."""
        return [f"{self.source.name}[{index}]" for index in range(len(self.values))]

    def tensors(self, preparation: Preparation, indices: Sequence[int] | None = None) -> Iterator[Tensor]:
        """Yield each sample as float32, batch of 1."""
        for index in range(len(self.values)) if indices is None else indices:
            yield np.ascontiguousarray(self.values[index], np.float32)[None]


Representative = Images | Arrays


def find_representative(path: Path) -> Representative:
    """Read what `--representative` names.

    Raises:
        DatasetError: Nothing is there, or nothing that can feed an image input.
    """
    path = expand_user(path)
    if is_folder(path):
        return _folder(path)
    if path.suffix in ARRAYS and is_file(path):
        return Arrays(path, _samples(path))
    found = "no such folder or file" if not exists(path) else f"a {path.suffix or 'plain'} file"
    raise DatasetError(
        f"{path}: {found}; representative data is a folder of images, or a .npy or .npz file of prepared inputs"
    )


def _folder(path: Path) -> Images:
    files = sorted(file for file in files_below(path) if file.suffix.lower() in SUFFIXES)
    if not files:
        raise DatasetError(
            f"{path}: no images in it or below it; expected files such as .jpg or .png "
            f"({', '.join(sorted(SUFFIXES))})"
        )
    return Images(path, tuple(files))


def _samples(path: Path) -> npt.NDArray[np.generic]:
    """Read an array file without ever unpickling, and make it [N, H, W, C]."""
    try:
        with warnings.catch_warnings(), opened(path) as file:
            warnings.simplefilter("error")
            loaded = np.load(file, allow_pickle=False)
            parts = [loaded] if isinstance(loaded, np.ndarray) else [loaded[name] for name in loaded.files]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, Warning) as error:
        raise DatasetError(f"{path}: not a readable NumPy file ({error})") from error
    batches = [_batch(part, path) for part in parts]
    shapes = {batch.shape[1:] for batch in batches}
    if len(shapes) != 1:
        raise DatasetError(
            f"{path}: found {len(shapes)} shapes of images, expected one: {sorted(shapes)[:3]}"
        )
    return np.concatenate(batches)


def _batch(part: npt.NDArray[np.generic], path: Path) -> npt.NDArray[np.generic]:
    if part.ndim == 5 and part.shape[1] == 1:
        part = part[:, 0]
    if part.ndim == 3:
        part = part[None]
    if part.ndim != 4 or part.dtype.kind not in "fiu" or not part.size:
        raise DatasetError(
            f"{path}: found an array {list(part.shape)} of {part.dtype}, expected numbers [N, height, width, 3]"
        )
    return part
