"""An image file → the model's input tensor, as the card says. The same code prepares inputs for every device."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.accuracy import opencv_resize
from harness.accuracy.image_files import ImageFile, Size, read_image
from harness.accuracy.pixel_values import values_by
from harness.cards import InputSpec
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo
from harness.tflite.values import to_integers

Tensor = npt.NDArray[np.generic]

_METHODS = {
    "pillow-nearest": Image.Resampling.NEAREST,
    "pillow-box": Image.Resampling.BOX,
    "pillow-bilinear": Image.Resampling.BILINEAR,
    "pillow-bicubic": Image.Resampling.BICUBIC,
    "pillow-lanczos": Image.Resampling.LANCZOS,
}
MOST_PIXELS = 1 << 28
"""16,384 × 16,384: three gigabytes as floats. What says more is damaged, or nothing for this computer."""


@dataclass(frozen=True)
class Geometry:
    """Where the image lies in the model's input: x_input = x_image * scale_x + offset_x, in pixels."""

    image_width: int
    image_height: int
    input_width: int
    input_height: int
    scale_x: float
    scale_y: float
    offset_x: float = 0.0
    offset_y: float = 0.0

    def to_image(self, boxes: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Turn boxes [N, 4] (x0, y0, x1, y1 as shares of the input) into pixels of the image, clipped to it."""
        size = np.array([self.input_width, self.input_height] * 2, np.float64)
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float64)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float64)
        pixels = (boxes.astype(np.float64) * size - offset) / scale
        return np.clip(pixels, 0, np.array([self.image_width, self.image_height] * 2, np.float64))

    def of_size(self, size: Size | None) -> Geometry:
        """Return the same place for an image that was annotated in another size; None for the size that it has."""
        if size is None or size == (self.image_width, self.image_height):
            return self
        width, height = size
        return replace(
            self,
            image_width=width,
            image_height=height,
            scale_x=self.scale_x * self.image_width / width,
            scale_y=self.scale_y * self.image_height / height,
        )


class Preparation:
    """Prepares images for one model.

    Args:
        spec: The card's input section.
        tensor: The model's first input, [1, H, W, 3] or [1, 3, H, W].

    Raises:
        ModelError: The tensor is not an image of the card's size.
    """

    def __init__(self, spec: InputSpec, tensor: TensorInfo) -> None:
        self.spec = spec
        fits = len(tensor.shape) == 4 and 3 in (tensor.shape[1], tensor.shape[3])
        self.channels_first = fits and tensor.shape[1] == 3 and tensor.shape[3] != 3
        height, width = (tensor.shape[2:4] if self.channels_first else tensor.shape[1:3]) if fits else (0, 0)
        dynamic = -1 in (height, width)
        if not fits or (not dynamic and (width, height) != (spec.width, spec.height)):
            raise ModelError(
                f"input {tensor.name!r} has the shape {list(tensor.shape)}, but the card prepares images of "
                f"{spec.width}×{spec.height}: correct the card's [input]"
            )
        if spec.width * spec.height > MOST_PIXELS:
            raise ModelError(
                f"input {tensor.name!r}: found images of {spec.width}×{spec.height}, expected {MOST_PIXELS:,} pixels "
                "at most"
            )
        self._table = table = _lookup_table(spec, tensor)
        self._values = None if table is None else values_by(table, spec.mean, spec.std)

    def load(self, image: ImageFile | Path) -> tuple[Tensor, Geometry]:
        """Decode and prepare one image file.

        Returns:
            The input tensor, batch of 1, and where the annotated picture lies in it.

        Raises:
            UnreadableImageError: It is not an image that can be decoded.
        """
        tensor, geometry = self.prepare(read_image(image))
        return tensor, geometry.of_size(image.size if isinstance(image, ImageFile) else None)

    @property
    def pixel_table(self) -> Tensor | None:
        """What each value of a pixel stands for, [channels, 256]; None where pixels in their order do not tell it.

        Who has it can be sent `load_pixels` in the place of `load`: a quarter of the bytes of floats.
        """
        if self._table is None or (self._table.ndim == 2 and self.channels_first):
            return None
        return self._table.reshape(-1, 256)

    def load_pixels(self, image: ImageFile | Path) -> tuple[npt.NDArray[np.uint8], Geometry]:
        """Decode and resize one image file as `load` does, up to the pixels that `pixel_table` is for.

        Raises:
            UnreadableImageError: It is not an image that can be decoded.
        """
        pixels, geometry = self._pixels(read_image(image))
        return self._in_order(pixels), geometry.of_size(image.size if isinstance(image, ImageFile) else None)

    def prepare(self, image: Image.Image) -> tuple[Tensor, Geometry]:
        """Resize an RGB image and turn it into the input tensor."""
        pixels, geometry = self._place(image)
        return self.of_placed(pixels), geometry

    def load_placed(self, image: ImageFile | Path) -> tuple[npt.NDArray[np.uint8], Geometry]:
        """Decode and resize one image file, and no more: pixels [H, W, 3] in RGB that `of_placed` goes on with.

        Raises:
            UnreadableImageError: It is not an image that can be decoded.
        """
        pixels, geometry = self._place(read_image(image))
        return pixels, geometry.of_size(image.size if isinstance(image, ImageFile) else None)

    def of_placed(self, pixels: npt.NDArray[np.uint8]) -> Tensor:
        """Turn pixels that were placed with the same sizes, filling and method into the input tensor."""
        pixels = self._in_channels(pixels)
        return self._in_order(pixels if self._values is None else self._values(pixels))

    def _pixels(self, image: Image.Image) -> tuple[npt.NDArray[np.uint8], Geometry]:
        pixels, geometry = self._place(image)
        return self._in_channels(pixels), geometry

    def _in_channels(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return pixels[:, :, ::-1] if self.spec.channels == "bgr" else pixels

    def _in_order(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Put channels where the model has them, and add the batch of 1."""
        return np.ascontiguousarray(values.transpose(2, 0, 1) if self.channels_first else values)[None]

    def _place(self, image: Image.Image) -> tuple[npt.NDArray[np.uint8], Geometry]:
        spec = self.spec
        if spec.resize == "stretch":
            scale_x, scale_y = spec.width / image.width, spec.height / image.height
            resized = _resize(image, (spec.width, spec.height), spec.method)
            geometry = Geometry(image.width, image.height, spec.width, spec.height, scale_x, scale_y)
            return np.asarray(resized), geometry
        scale = min(spec.width / image.width, spec.height / image.height)
        width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        left, top = (0, 0)
        if spec.pad_position == "center":
            left, top = (spec.width - width) // 2, (spec.height - height) // 2
        canvas = np.full((spec.height, spec.width, 3), spec.pad_value, np.uint8)
        canvas[top : top + height, left : left + width] = np.asarray(
            _resize(image, (width, height), spec.method)
        )
        geometry = Geometry(
            image.width,
            image.height,
            spec.width,
            spec.height,
            width / image.width,
            height / image.height,
            left,
            top,
        )
        return canvas, geometry


def _resize(image: Image.Image, size: tuple[int, int], method: str) -> Image.Image | npt.NDArray[np.uint8]:
    if image.size == size:
        return image
    if method == "opencv-bilinear":
        return opencv_resize.resize(np.asarray(image), *size)
    if method == "tf-bilinear":
        # tf.image.resize with half-pixel centres does not antialias; Pillow's affine transform samples the same way.
        width, height = image.width / size[0], image.height / size[1]
        return image.transform(
            size, Image.Transform.AFFINE, (width, 0, 0, 0, height, 0), resample=Image.Resampling.BILINEAR
        )
    return image.resize(size, _METHODS[method])


def _dtype(tensor: TensorInfo) -> np.dtype[Any]:
    dtype: np.dtype[Any] | None = None
    with contextlib.suppress(TypeError):
        dtype = np.dtype(tensor.dtype)
    if dtype is None or dtype.kind not in "iuf":
        raise ModelError(
            f"input {tensor.name!r} is {tensor.dtype}, and images are prepared as whole numbers or floats that NumPy "
            "has: export the model with a float32, uint8 or int8 input"
        )
    return dtype


def _lookup_table(spec: InputSpec, tensor: TensorInfo) -> Tensor | None:
    """Return the input value of each of the 256 pixel values: [256], or [3, 256] where the channels differ.

    None stands for «the pixels themselves».
    """
    pixels = np.arange(256)
    dtype = _dtype(tensor)
    if spec.mean is None or spec.std is None:
        if dtype == np.uint8:
            return None
        shifted: Tensor = (pixels - 128 if dtype == np.int8 else pixels).astype(dtype)
        return shifted
    mean, std = np.array(spec.mean)[:, None], np.array(spec.std)[:, None]
    values = _quantize((pixels[None] - mean) / std, tensor, dtype)
    same = bool((values == values[:1]).all())
    table: Tensor = values[0] if same else values
    return table


def _quantize(real: npt.NDArray[np.float64], tensor: TensorInfo, dtype: np.dtype[np.generic]) -> Tensor:
    if np.issubdtype(dtype, np.floating):
        return real.astype(dtype)
    if tensor.scale is None:
        raise ModelError(
            f"input {tensor.name!r} is {dtype} without a scale, so mean and std cannot be applied: remove them from "
            "the card's [input] to feed the pixels themselves"
        )
    return to_integers(real, tensor.scale, tensor.zero_point, dtype.name)
