"""Tests of the accepted types of pictures, and of the errors for others."""

import io
import os
import pathlib
import struct
import tempfile
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from model import PictureError, Reader
from model.drawing import draw
from model.picture import ACCEPTED, to_pixels
from model.preprocess import preprocess, preprocess_batch
from tests.hostile.pictures import _resized, blank_gif, seven

GREY = (255 * (1 - draw([[[0, 0], [100, 0], [40, 150]]]))).round().astype(np.uint8)
MASK = GREY > 127
RGB = np.stack([GREY] * 3, axis=2)


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    image.save(out := io.BytesIO(), kind, **options)
    return out.getvalue()


PNG = saved(Image.fromarray(GREY))


def equal(picture, expected=GREY, *, atol=0.0):
    """Assert that both pictures have the same 28 × 28 pixels after preprocessing."""
    seen, wanted = preprocess(picture), preprocess(expected)
    assert not wanted.blank
    assert (seen.blank, seen.inverted) == (False, wanted.inverted)
    np.testing.assert_allclose(seen.image, wanted.image, rtol=0, atol=atol)


INTEGERS = [np.dtype(f"{order}{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8)
            for order in "<>"]  # fmt: skip
FLOATS = [np.float16, np.float32, np.float64, np.longdouble, np.dtype(">f4")]


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda dtype: dtype.str)
def test_integers_up_to_255_are_8_bits(dtype):
    levels = np.minimum(GREY, 127) if dtype.itemsize == 1 and dtype.kind == "i" else GREY
    equal(levels.astype(dtype), levels)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32, np.int64, np.uint64, ">u2"])
def test_integers_above_255_are_scaled_by_their_bit_depth(dtype, bits):
    levels = np.rint(GREY / 255 * (2**bits - 1)).astype(dtype)
    equal(levels, GREY / 255, atol=1e-3)
    equal(levels[:, :, None].repeat(3, axis=2), RGB, atol=0.02)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_images_are_scaled_by_their_bit_depth(mode, bits):
    dtype = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}[mode]
    levels = np.rint(GREY / 255 * (2**bits - 1)).astype(dtype)
    image = Image.frombytes(mode, GREY.shape[::-1], levels.tobytes())
    equal(image, GREY / 255, atol=1e-3)
    if mode == "I;16":
        equal(saved(image), GREY / 255, atol=1e-3)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("top", [1, 255])
def test_floats_are_0_to_1_or_0_to_255(dtype, top):
    levels = (GREY.astype(dtype) / dtype(255) if callable(dtype) else GREY / 255) * top
    equal(np.asarray(levels, dtype), GREY / 255, atol=2e-3)
    equal(np.asarray(levels * 1.0004, dtype), GREY / 255, atol=2e-3)  # resampling may overshoot


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.uint16, np.int64, np.uint64])
@pytest.mark.parametrize("polarity", [False, True])
def test_zeros_and_ones_are_a_mask(dtype, polarity):
    mask = MASK ^ polarity
    expected = mask * np.uint8(255)
    equal(mask.astype(dtype), expected)
    equal(np.stack([mask] * 3, axis=2).astype(dtype), expected)
    large = np.kron(mask, np.ones((15, 15), bool)).astype(dtype)  # large enough to be reduced
    equal(large, large * np.uint8(255))
    for uniform in (np.zeros((40, 40), dtype), np.ones((40, 40), dtype)):
        assert preprocess(uniform).blank


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "I;16", "I", "F"])
def test_an_image_of_zeros_and_ones_is_a_mask(mode):
    if mode.startswith("I"):
        dtype = np.uint16 if mode == "I;16" else np.int32
        image = Image.fromarray(MASK.astype(dtype))
    else:
        image = Image.fromarray(MASK.astype(np.uint8)).convert(mode)
    equal(image, MASK * np.uint8(255))
    if mode != "F":
        equal(saved(image, "TIFF"), MASK * np.uint8(255))


def test_a_batch_may_contain_masks():
    masks = np.random.default_rng(0).integers(0, 2, (60, 28, 28), np.uint8)
    masks[::3] *= 200
    masks[1::6, :14] = 0
    images, blank = preprocess_batch(masks)
    alone = [preprocess(each) for each in masks]
    assert np.array_equal(images, [each.image for each in alone])
    assert np.array_equal(blank, [each.blank for each in alone])
    assert not blank.all()


def shapes():
    return {
        "(1, H, W)": GREY[None], "(H, W, 1)": GREY[:, :, None], "(H, W, 3)": RGB,
        "(3, H, W)": np.moveaxis(RGB, 2, 0),
        "(4, H, W)": np.concatenate([np.moveaxis(RGB, 2, 0), np.full((1, *GREY.shape), 255, "u1")]),
        "Fortran's order": np.asfortranarray(GREY),
        "every second": GREY.repeat(2, axis=0).repeat(2, axis=1)[::2, ::2],
        "read-only": np.frombuffer(GREY.tobytes(), np.uint8).reshape(GREY.shape),
        "a matrix": GREY.view(np.matrix), "a masked array": np.ma.array(GREY),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # NumPy deprecates matrices
@pytest.mark.parametrize("name", shapes())
@pytest.mark.parametrize("scale", [1, 1 / 255])
def test_arrays_of_any_layout_are_read(name, scale):
    equal(shapes()[name] if scale == 1 else shapes()[name] / 255, GREY, atol=1e-2)


TENSORS = [torch.uint8, torch.uint16, torch.int64, torch.bool,
           torch.float16, torch.bfloat16, torch.float32, torch.float64]  # fmt: skip


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
@pytest.mark.parametrize("dtype", TENSORS, ids=str)
def test_tensors_are_read(dtype, device):
    tensor = torch.from_numpy(GREY).to(device)
    expected = GREY
    if dtype is torch.bool:
        tensor, expected = tensor > 127, MASK * np.uint8(255)
    elif dtype.is_floating_point:
        tensor = tensor / 255
    tensor = tensor.to(dtype)
    for picture in (tensor, tensor[None], tensor.expand(3, *tensor.shape), tensor.T.contiguous().T):
        equal(picture, expected, atol=1e-2)


def test_a_tensor_that_requires_grad_keeps_it():
    weights = torch.nn.Parameter(torch.from_numpy(GREY / 255))
    equal(weights * 1.0, GREY, atol=1e-6)
    equal(weights, GREY, atol=1e-6)
    assert weights.requires_grad
    with torch.inference_mode():
        equal(torch.from_numpy(GREY).clone())


def test_a_reader_reads_single_tensors_and_batches(mnist):
    reader = Reader.load("mlp-32", device="cpu")
    images, _ = mnist
    expected = [reading.digit for reading in reader.read_batch(images[:20])]
    floats = torch.from_numpy(images[:20])[:, None] / 255  # the format of torchvision's ToTensor
    assert [reading.digit for reading in reader.read_batch(floats)] == expected
    assert [reader.read(each).digit for each in floats] == expected
    assert [reader.read(each.expand(3, 28, 28)).digit for each in floats] == expected


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_are_read(kind):
    equal(kind(PNG))


def test_file_objects_are_read(tmp_path):
    path = tmp_path / "seven.png"
    path.write_bytes(PNG)
    with path.open("rb") as file:
        equal(file)
        equal(file)  # at its end
        file.seek(7)
        equal(file)
    with path.open("rb", buffering=0) as file:
        equal(file)
    with tempfile.SpooledTemporaryFile() as file:
        file.write(PNG)
        equal(file)
    read, write = os.pipe()
    os.write(write, PNG)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        equal(pipe)

    class Stream:  # of another library, with read() only
        def read(self):
            return PNG

    equal(Stream())


def test_paths_are_read(tmp_path):
    path = tmp_path / "seven.png"
    path.write_bytes(PNG)

    class Path:  # of another library
        def __fspath__(self):
            return str(path)

    class ByName:
        def __fspath__(self):
            return os.fsencode(path)

    for each in (path, str(path), pathlib.PurePath(path), Path(), ByName()):
        equal(each)


class Array:
    """An array of another library."""

    def __array__(self, dtype=None, copy=None):
        return GREY


def test_arrays_of_other_libraries_are_read():
    equal(Array())


def closed():
    file = io.BytesIO(PNG)
    file.close()
    return file


def closed_image():
    image = Image.open(io.BytesIO(PNG))
    image.close()
    return image


def write_only():
    return io.BufferedWriter(io.BytesIO())


class Broken:
    """An object whose protocols do not work."""

    read = __array__ = __fspath__ = None


class Raises:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("deleted")


NOT_ONE = "is not one picture.*read_batch"
DTYPE = "is not a picture: send booleans, integers"
RANGE = "outside 0..65,535"
BELOW = "below 0"
REFUSED = {
    "None": (lambda: None, f"Got NoneType: a picture is {ACCEPTED}"),
    "a number": (lambda: 5, "Got int"),
    "a list": (lambda: GREY.tolist(), "Got list"),
    "strokes": (lambda: [[[0, 0], [9, 9]]], "Got list"),
    "a dictionary": (lambda: {"path": "seven.png"}, "Got dict"),
    "an object": (object, "Got object"),
    "a function": (lambda: len, "Got builtin_function_or_method"),
    "a broken object": (Broken, "cannot be copied"),
    "a deleted array": (Raises, "cannot be copied"),
    "a class": (lambda: np.ndarray, "is not one picture|cannot be copied"),
    "a NumPy number": (lambda: np.uint8(7), NOT_ONE),
    "a row": (lambda: np.zeros(784, np.uint8), NOT_ONE),
    "many pictures": (lambda: np.zeros((5, 28, 28), np.uint8), NOT_ONE),
    "four axes": (lambda: np.zeros((1, 1, 28, 28), np.uint8), NOT_ONE),
    "a batch of tensors": (lambda: torch.zeros(8, 1, 28, 28), NOT_ONE),
    "nothing": (lambda: np.zeros((0, 0)), "no pixels"),
    "an empty tensor": (lambda: torch.zeros(1, 0, 5), "no pixels"),
    "complex numbers": (lambda: np.zeros((5, 5), complex), DTYPE),
    "a complex tensor": (lambda: torch.zeros(5, 5, dtype=torch.complex64), DTYPE),
    "objects": (lambda: np.full((5, 5), None), DTYPE),
    "text": (lambda: np.full((5, 5), "1"), DTYPE),
    "dates": (lambda: np.zeros((5, 5), "M8[s]"), DTYPE),
    "records": (lambda: np.zeros((5, 5), [("a", int)]), DTYPE),
    "masked values": (lambda: np.ma.array(GREY, mask=MASK), "masked values"),
    "negative integers": (lambda: np.full((5, 5), -1), RANGE),
    "negative bytes": (lambda: np.full((5, 5), -1, np.int8), RANGE),
    "2^63": (lambda: np.full((5, 5), 2**63, np.uint64), RANGE),
    "negative floats": (lambda: np.full((5, 5), -0.1), BELOW),
    "NaN": (lambda: np.full((5, 5), np.nan), BELOW),
    "infinity": (lambda: torch.full((5, 5), torch.inf), BELOW),
    "floats above 255": (lambda: np.full((5, 5), 300.0), "0..1 or 0..255"),
    "a tensor without values": (lambda: torch.zeros(5, 5, device="meta"), "cannot be copied"),
    "a sparse tensor": (lambda: torch.zeros(5, 5).to_sparse(), "cannot be copied"),
    "a text file": (lambda: io.StringIO("P5"), r'open it with open\(path, "rb"\)'),
    "a file that is closed": (closed, "cannot be read.*closed"),
    "a file for writing": (write_only, "cannot be read"),
    "a folder": (lambda: "model", "cannot be read: Is a directory"),
    "a missing file": (lambda: "nothing-there.png", "There is no file nothing-there.png"),
    "a path with a NUL": (lambda: "a\0b", "cannot be read"),
    "a very long path": (lambda: "x" * 5_000, "cannot be read"),
    "no bytes": (lambda: b"", "not a picture, or is damaged"),
    "pixels alone": (lambda: bytes(784), "not a picture, or is damaged"),
    "a truncated file": (lambda: PNG[:200], "not a picture, or is damaged"),
    "an image that is closed": (closed_image, "damaged"),
    "an image without pixels": (lambda: Image.new("L", (0, 5)), "no pixels"),
    "an image above 16 bits": (lambda: Image.new("I", (5, 5), 70_000), "above 65,535"),
    "an image below 0": (lambda: Image.new("F", (5, 5), -1.0), BELOW),
    "an image of NaN": (lambda: Image.new("F", (5, 5), float("nan")), "NaN"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_other_types_and_values_are_refused_with_a_reason(name):
    make, message = REFUSED[name]
    with pytest.raises(PictureError, match=message):
        preprocess(make())


@st.composite
def arrays(draw):
    """Draw an array of any dtype and shape, or a tensor of it."""
    dtype = np.dtype(draw(st.sampled_from("?bBhHiIlLefdgFDSUMmO")))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
    if dtype.kind == "O":
        return np.full(shape, None)
    array = draw(hnp.arrays(dtype, shape))
    tensor = dtype.kind in "biufc" and dtype.char not in "gG" and draw(st.booleans())
    return torch.from_numpy(array.copy()) if tensor else array


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=150, deadline=None)
@given(picture=arrays() | st.binary(max_size=99))
def test_random_arrays_are_read_or_refused(picture):
    try:
        seen = preprocess(picture)
    except PictureError:
        return
    assert seen.image.shape == (28, 28)
    assert np.isfinite(seen.image).all()
    assert 0 <= seen.image.min() <= seen.image.max() <= 1


def test_every_mode_of_pillow_is_read():
    for mode in (*Image.MODES, "I;16L", "I;16B", "I;16N", "PA", "La", "RGBa", "BGR;15"):
        with warnings.catch_warnings(action="ignore"):
            try:
                image = Image.new(mode, (30, 30))
            except (ValueError, KeyError):
                continue  # not available in this Pillow
        assert preprocess(image).blank


def phone(width, height, *, trailer=b""):
    """Return a large grey JPEG with a seven, with data after its end as phones append it."""
    image = Image.new("L", (width, height), 200)
    ink = Image.fromarray(np.minimum(GREY, 200)).resize((height // 2, height // 2))
    image.paste(ink, (width // 4, height // 4))
    return saved(image, "JPEG", quality=50) + trailer


@pytest.mark.parametrize(
    "trailer",
    [
        b"",
        seven("JPEG"),  # a depth map
        seven("JPEG", progressive=True) * 3,  # a gain map
        b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\x08" * 500,  # a video
        b"\xff\xda" * 500,
    ],
)
def test_a_large_photo_is_read_with_any_trailer(trailer):
    data = phone(8_160, 6_120, trailer=trailer)
    seen = preprocess(data)
    assert not seen.blank
    assert seen.box[0] == pytest.approx(8_160 / 4 + 3_060 * preprocess(GREY).box[0] / 80, rel=0.02)


def test_a_photo_of_200_megapixels_is_read_without_a_warning():
    data = _resized(phone(4_080, 3_060), 12_240, 16_320)  # the rest is grey
    pixels, zoom = to_pixels(data, 4_000_000)
    assert pixels.shape == (300, 400)
    assert zoom == 16_320 / 400


def test_a_panorama_is_reduced_below_the_limit():
    data = _resized(phone(4_080, 3_060), 1_900, 12_000)
    pixels, zoom = to_pixels(data, 4_000_000)
    assert (pixels.shape, zoom) == ((63, 400), 30.0)


def test_a_thumbnail_in_the_first_image_is_not_counted():
    exif = Image.Exif()
    exif[0x112] = 1
    thumbnail = seven("JPEG", progressive=True) * 9
    segment = b"\xff\xe2" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    photo = phone(8_160, 6_120)
    assert not preprocess(photo[:2] + segment + photo[2:]).blank


def test_a_large_progressive_jpeg_is_refused_with_advice_that_works():
    image = Image.open(io.BytesIO(phone(8_160, 6_120)))
    data = saved(image, "JPEG", progressive=True)
    with pytest.raises(PictureError, match="to at most 2,000 pixels a side and save it as PNG"):
        preprocess(data)
    image.thumbnail((2_000, 2_000))
    assert not preprocess(saved(image)).blank


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
@pytest.mark.parametrize("blank", [1, 3])
def test_the_first_frame_with_ink_is_read(kind, blank):
    ink, empty = Image.fromarray(GREY), Image.new("L", GREY.shape[::-1], 255)
    # Pillow omits frames that are equal.
    frames = [*(empty.point(lambda level, i=i: level - i) for i in range(blank)), ink, empty]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    equal(data, GREY, atol=0.02)
    assert Reader.load("mlp-32", device="cpu").read(data).digit == 7


def test_a_transparent_first_frame_is_empty():
    frames = [Image.new("RGBA", GREY.shape[::-1]), Image.fromarray(GREY).convert("RGBA")]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    equal(data, GREY)


def test_the_first_frame_is_read_if_it_has_ink():
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]
    equal(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), GREY, atol=0.02)


def test_an_animation_without_ink_is_blank():
    frames = [Image.new("L", (50, 50), 255 - i) for i in range(9)]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        assert preprocess(saved(frames[0], kind, save_all=True, append_images=frames[1:])).blank
    assert preprocess(blank_gif()).blank
    assert preprocess(blank_gif()[:-1] + b"!").blank  # Pillow raises IndexError


def box(brand):
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (box(b"heic"), "a HEIC file, as iPhones save photos"),
        (box(b"mif1"), "a HEIC file"),
        (box(b"avif"), "an AVIF file"),
        (box(b"crx "), "a camera's RAW file"),
        (box(b"qt  "), "a video"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's RAW file"),
        (b"IIRO\x08\0\0\0" + bytes(99), "a camera's RAW file"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"8BPS\0\1" + bytes(99), "a Photoshop file"),
        (b"\xff\x0a" + bytes(99), "a JPEG XL file"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a --><svg/>", "an SVG drawing"),
        (b"\n<!DOCTYPE html><html><svg>", "a web page"),
        (b"PK\x03\x04" + bytes(99), "a .zip archive"),
    ],
)
def test_the_error_names_an_unsupported_format(data, name):
    message = f"This is {name}.*convert it to PNG or JPEG, or send a screenshot"
    with pytest.raises(PictureError, match=message):
        preprocess(data)


def test_supported_formats_are_read():
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        equal(saved(Image.fromarray(RGB), kind), GREY, atol=0.05)
