"""Arrays and tensors as pictures: dtypes, value ranges and shapes that are accepted."""

from typing import Any

import numpy as np
import torch

SHAPES = "(H, W), (1, H, W), (H, W, 1), (H, W, 3), (H, W, 4), (3, H, W) or (4, H, W)"
VALUES = "booleans, integers in 0..255 or 0..65,535, or floats in 0..1 or 0..255"
# The largest value of a picture with 8, 10, 12, 14 or 16 bits per channel.
TOPS = tuple(2.0**bits - 1 for bits in (8, 10, 12, 14, 16))
ROUNDING = 1e-3  # resampling and float16 exceed the largest value by less than this, relatively


class PictureError(ValueError):
    """The input is not a picture that can be read."""


def to_array(picture: Any) -> np.ndarray:
    """Return a tensor, or any object that NumPy can convert, as an array in host memory.

    Raises:
        PictureError: it has no values that can be copied, or some of them are masked.
    """
    try:
        if isinstance(picture, torch.Tensor):
            # NumPy has no bfloat16 and no float8.
            picture = picture.float() if picture.is_floating_point() else picture
            return picture.numpy(force=True)
        array = np.asarray(picture)
    except (TypeError, ValueError, RuntimeError) as error:
        raise PictureError(
            f"The values of this {type(picture).__name__} cannot be copied into a NumPy array."
        ) from error
    if np.ma.is_masked(picture):
        raise PictureError("The array has masked values: fill them first, with filled().")
    return array


def from_array(array: np.ndarray) -> np.ndarray:
    """Return a picture as (H, W) uint8 or float32 in 0..1, or as (H, W, 3 or 4) uint8.

    Booleans and arrays that hold only 0 and 1 are masks: 1 is full lightness. Other integers have 8
    bits if none exceeds 255; otherwise 10, 12, 14 or 16 bits, the fewest that hold all values.
    Floats are in 0..1, or in 0..255 if one exceeds 1.

    Raises:
        PictureError: another shape, dtype or range.
    """
    array = channels_last(array)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array if array.max() > 1 else array * np.uint8(255))
    if array.dtype == bool:
        return np.ascontiguousarray(array, np.uint8) * np.uint8(255)
    if array.dtype.kind in "iu":
        return _from_integers(array)
    if array.dtype.kind != "f":
        raise PictureError(f"An array of {array.dtype} is not a picture: send {VALUES}.")
    largest = array.max()
    if not (array.min() >= 0 and largest < np.inf):  # NaN compares false
        raise PictureError("The array has values below 0, infinite or NaN: send floats in 0..1.")
    if largest > 255 * (1 + ROUNDING):
        raise PictureError(
            "A float array must be in 0..1 or 0..255: divide it by its largest possible value."
        )
    return _to_depth(array, (1.0, 255.0), largest)


def scale_masks(images: np.ndarray) -> np.ndarray:
    """Return small pictures, (N, H, W) uint8, with each mask scaled as `from_array` scales it."""
    masks = images.max(axis=(1, 2)) == 1
    return np.where(masks[:, None, None], images * np.uint8(255), images) if masks.any() else images


def from_deep(array: np.ndarray) -> np.ndarray:
    """Return the pixels of a PIL image with more than 8 bits, as `from_array` returns an array's.

    Floats may exceed 255: they are scaled as integers are.

    Raises:
        PictureError: a pixel is negative, above 65,535, infinite or NaN.
    """
    largest = array.max()
    if not (array.min() >= 0 and largest < np.inf):
        raise PictureError("The picture has pixels below 0, infinite or NaN.")
    if largest > TOPS[-1]:
        raise PictureError("The picture has pixels above 65,535: send 8 or 16 bits.")
    return _to_depth(array, (1.0, *TOPS), largest)


def channels_last(array: np.ndarray) -> np.ndarray:
    """Return an array of any accepted shape as (H, W), (H, W, 3) or (H, W, 4).

    Raises:
        PictureError: another shape, or empty.
    """
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = array[0] if array.shape[0] == 1 else np.moveaxis(array, 0, 2)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise PictureError(
            f"An array of shape {array.shape} is not one picture: send {SHAPES}. "
            "Use read_batch for several pictures."
        )
    if array.size == 0:
        raise PictureError("The picture has no pixels.")
    return array


def _from_integers(array: np.ndarray) -> np.ndarray:
    largest = array.max()
    if array.min() < 0 or largest > TOPS[-1]:
        raise PictureError("The array has values outside 0..65,535: send 8 or 16 bits.")
    if largest > 255:
        return _to_depth(array, TOPS, largest)
    levels = np.ascontiguousarray(array, np.uint8)
    return levels if largest > 1 else levels * np.uint8(255)


def _to_depth(array: np.ndarray, tops: tuple[float, ...], largest: float) -> np.ndarray:
    """Divide an array by the first of the tops that its largest value does not exceed."""
    spare = ROUNDING if array.dtype.kind == "f" else 0
    top = next(top for top in tops if largest <= top * (1 + spare))
    if array.ndim == 3:
        return (array * (255 / top)).clip(max=255).round().astype(np.uint8)
    grey = np.ascontiguousarray(array, np.float32)
    if top > 1:
        grey = grey / np.float32(top)
    return grey if largest <= top else np.minimum(grey, np.float32(1))
