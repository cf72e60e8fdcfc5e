"""Tests of preprocessing: MNIST's framing, invariances, photos, and invalid pictures."""

import io
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model import Reader
from model.drawing import draw, parse, rasterize
from model.ink import find_ink
from model.limits import LIMITS
from model.picture import PictureError
from model.preprocess import (
    BOX,
    CENTRE,
    preprocess,
    preprocess_batch,
)

SEVEN = [[[0, 0], [100, 0], [40, 150]]]


def sheet(side=280, at=(90, 60), size=1.0, pen=0.1):
    """Return a seven on a sheet: (side, side) float in 0..1, ink 1."""
    ink = Image.fromarray(draw(SEVEN, pen_width=pen))
    ink = ink.resize((round(ink.width * size * 2), round(ink.height * size * 2)))
    paper = np.zeros((side, side), np.float32)
    x, y = at
    paper[y : y + ink.height, x : x + ink.width] = np.asarray(ink)
    return np.clip(paper, 0, 1)


def as_image(ink):
    return Image.fromarray((255 * (1 - ink)).round().astype(np.uint8))


@pytest.fixture(scope="module")
def reference():
    return preprocess(sheet()).image


def test_mnists_images_are_unchanged(mnist):
    images, _ = mnist
    for image in images:
        done = preprocess(image)
        assert done.scale == 1
        assert not done.inverted
        assert np.abs(done.image - image / 255).max() <= 1 / 255


def small_pictures(images):
    """Return pictures for each case of the rules, by name, (N, 28, 28) uint8."""
    rng = np.random.default_rng(0)
    two_levels = rng.random(images.shape) < rng.random((len(images), 1, 1))
    halves = rng.integers(0, 13, (len(images), 10))
    sides = np.concatenate([halves, halves[:, ::-1]], axis=1)
    mirrored = np.zeros_like(images)  # the centre of mass is between two pixels
    mirrored[:, 4:24, 4:24] = sides[:, :, None] * sides[:, None, :]
    grain = 25 + 0.8 * images + rng.normal(0, 8, images.shape)
    return {
        "framed": images,
        "inverted": 255 - images,
        "shifted": np.roll(images, (2, -1), axis=(1, 2)),
        "cut": np.roll(images, (-8, 5), axis=(1, 2)),
        "small": np.pad(images[:, ::2, ::2], ((0, 0), (7, 7), (7, 7))),
        "faint": 100 + images // rng.integers(4, 13, (len(images), 1, 1), np.uint8),
        "blank": np.repeat(rng.integers(0, 256, (len(images), 1, 1), np.uint8), 28, 1).repeat(
            28, 2
        ),
        "grain": grain.clip(0, 255).astype(np.uint8),
        "two levels": two_levels * rng.integers(1, 256, (len(images), 1, 1), np.uint8),
        "mirrored": mirrored,
        "bytes": rng.integers(0, 256, images.shape, np.uint8),
    }


KINDS = list(small_pictures(np.zeros((1, 28, 28), np.uint8)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_equals_its_pictures_exactly(kind, mnist):
    pictures = small_pictures(mnist[0])[kind]
    images, blank = preprocess_batch(pictures)
    alone = [preprocess(picture) for picture in pictures]
    assert images.dtype == np.float32
    assert np.array_equal(images, [each.image for each in alone])
    assert np.array_equal(blank, [each.blank for each in alone])


def test_a_batch_of_mixed_pictures_equals_its_pictures(mnist):
    every = np.concatenate([each[::50] for each in small_pictures(mnist[0]).values()])
    images, blank = preprocess_batch(every.reshape(-1, 784))
    assert np.array_equal(images, [preprocess(picture).image for picture in every])
    assert 0 < blank.mean() < 0.5
    images, blank = preprocess_batch(every[:0])
    assert images.shape == (0, 28, 28)
    assert blank.shape == (0,)


@pytest.mark.parametrize(
    "images", [np.zeros((2, 28, 27), np.uint8), np.zeros((2, 28, 28)), np.zeros(784, np.uint8)]
)
def test_an_invalid_batch_is_refused(images):
    with pytest.raises(PictureError, match="send uint8 of shape"):
        preprocess_batch(images)


def test_the_result_has_mnists_framing(reference):
    rows, columns = np.nonzero(reference > 0.2)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(BOX, abs=1)
    y, x = (np.array(np.nonzero(reference)) + 0.5) @ reference[reference > 0] / reference.sum()
    assert x == pytest.approx(CENTRE, abs=0.05)
    assert y == pytest.approx(CENTRE, abs=0.6)  # the stem limits the shift
    assert reference.max() == 1


def test_the_report_states_box_scale_and_shift():
    picture = np.full((100, 200), 255, np.uint8)
    picture[10:50, 60:80] = 0
    done = preprocess(picture)
    assert done.box == (60, 10, 80, 50)
    assert done.scale == BOX / 40
    assert done.inverted
    assert done.shift == (0, 0)
    down, across = np.zeros(28), np.zeros(28)  # 20 × 10 around 14.5, MNIST's centre
    down[5:24], across[10:19] = 1, 1
    down[[4, 24]] = across[[9, 19]] = 0.5
    np.testing.assert_allclose(done.image, np.outer(down, across), atol=0.05)


@settings(max_examples=30, deadline=None)
@given(x=st.integers(0, 150), y=st.integers(0, 100), size=st.floats(0.5, 1.0))
def test_position_and_size_hardly_change_the_result(x, y, size):
    moved = preprocess(sheet(at=(x, y), size=size)).image
    assert np.abs(moved - preprocess(sheet()).image).mean() < 0.02


@settings(max_examples=15, deadline=None)
@given(pen=st.floats(0.07, 0.13))
def test_pen_width_hardly_changes_the_result(pen):
    assert np.abs(preprocess(sheet(pen=pen)).image - preprocess(sheet()).image).mean() < 0.05


@settings(max_examples=20, deadline=None)
@given(paper=st.floats(0.0, 1.0), ink=st.floats(0.0, 1.0), noise=st.floats(0, 0.02))
def test_lightness_and_noise_hardly_change_the_result(paper, ink, noise):
    if abs(paper - ink) < 0.3:
        return
    grain = np.random.default_rng(0).normal(0, noise, (280, 280))
    picture = np.clip(paper + (ink - paper) * sheet() + grain, 0, 1)
    done = preprocess(picture)
    assert done.inverted == (ink < paper)
    assert np.abs(done.image - preprocess(sheet()).image).mean() < 0.03


def modes():
    ink = sheet()
    dark, alpha = as_image(ink), Image.fromarray((255 * ink).round().astype(np.uint8))
    black_on_nothing, white_on_nothing = (
        Image.new("RGBA", dark.size, c) for c in ("black", "white")
    )
    black_on_nothing.putalpha(alpha)
    white_on_nothing.putalpha(alpha)
    framed = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    framed.paste(dark, (60, 60))
    deep = Image.fromarray((65_535 * (1 - ink)).round().astype(np.uint16))
    return {
        **{m: dark.convert(m) for m in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "HSV")},
        "La": dark.convert("LA").convert("La"),
        "RGBa": dark.convert("RGBA").convert("RGBa"),
        "YCbCr": dark.convert("YCbCr"),
        "LAB": Image.merge("LAB", (dark, *[Image.new("L", dark.size, 128)] * 2)),
        "I;16": deep,
        "I": dark.convert("I"),
        "F": dark.convert("F"),
        "float": 1 - ink,
        "black on nothing": black_on_nothing,
        "white on nothing": white_on_nothing,
        "sheet in nothing": framed,
        "uint8": np.asarray(dark),
        "(H, W, 4)": np.asarray(black_on_nothing),
        "red on yellow": Image.fromarray(
            (np.multiply.outer(1 - ink, [255, 230, 90]) + np.multiply.outer(ink, [200, 0, 0]))
            .round().astype(np.uint8)
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", modes())
def test_every_mode_gives_the_same_result(name, reference):
    image = preprocess(modes()[name]).image
    tolerance = 0.02 if name == "1" else 0.005
    assert np.abs(image - reference).mean() < tolerance


def test_a_large_photo_gives_the_same_result(tmp_path, reference):
    large = as_image(sheet()).resize((2800, 2800))
    large.save(tmp_path / "photo.jpg")
    assert np.abs(preprocess(tmp_path / "photo.jpg").image - reference).mean() < 0.02


def blanks():
    noise = np.random.default_rng(0).normal(0.8, 0.03, (280, 280)).clip(0, 1)
    return {
        "black": np.zeros((280, 280), np.uint8),
        "white": np.full((280, 280), 255, np.uint8),
        "grey": np.full((28, 28), 0.5),
        "paper's grain": noise,
        "one pixel": np.zeros((1, 1), np.uint8),
        "transparent": Image.new("RGBA", (280, 280), (0, 0, 0, 0)),
        "no strokes": draw([]),
    }


@pytest.mark.parametrize("name", blanks())
def test_pictures_without_ink_are_blank(name):
    done = preprocess(blanks()[name])
    assert done.blank
    assert done.box is None
    assert done.image.shape == (28, 28)
    assert done.image.max() == 0


def test_thin_lines_on_large_sheets_are_not_blank():
    hairline = np.full((1024, 1024), 255, np.uint8)
    hairline[200:800, 500] = 0
    pencil = np.full((640, 640), 255, np.uint8)
    pencil[100:500, 300:302] = 150
    for picture in (hairline, pencil):
        done = preprocess(picture)
        assert not done.blank
        assert done.inverted


def test_the_report_is_in_pixels_of_the_picture(tmp_path):
    picture = np.full((3000, 1500), 255, np.uint8)
    picture[600:2400, 300:1200] = 0
    Image.fromarray(picture).save(tmp_path / "large.jpg", quality=95)
    for done in (preprocess(picture[::2, ::2]), preprocess(tmp_path / "large.jpg")):
        span = 1 if done.box[3] > 2000 else 2
        expected = np.array([300, 600, 1200, 2400]) / span
        np.testing.assert_allclose(done.box, expected, atol=8)
        assert done.scale == pytest.approx(BOX / 1800 * span, rel=0.01)


def test_pictures_with_ink_are_not_blank(reference):
    assert not preprocess(draw([[[1, 1]]])).blank
    assert not preprocess(0.8 - 0.3 * sheet()).blank
    assert not preprocess(sheet()).blank


def test_an_eccentric_centre_of_mass_cuts_off_no_ink():
    picture = np.zeros((100, 100), np.uint8)
    picture[0:30, 0:30] = 255
    picture[30:100, 29:30] = 255
    image = preprocess(picture).image
    assert (image[-8:] > 0.1).any()
    assert np.abs(image).sum() == pytest.approx((picture / 255).sum() / 25, rel=0.3)


def test_a_damaged_image_object_is_refused():
    png = io.BytesIO()
    as_image(sheet()).save(png, "PNG")
    bad_exif = Image.open(io.BytesIO(png.getvalue()))
    bad_exif.save(png := io.BytesIO(), "PNG", exif=b"Exif\0\0nonsense")
    with pytest.raises(PictureError, match="damaged"):
        preprocess(io.BytesIO(png.getvalue()))
    cut = Image.open(io.BytesIO(png.getvalue()[:-200]))
    with pytest.raises(PictureError, match="damaged"):
        preprocess(cut)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    side = int(LIMITS.max_pixels**0.5)
    Image.new("1", (side, side)).save(tmp_path / "at.png")
    assert preprocess(tmp_path / "at.png").blank
    for pixels in (side + 1, 9_000, 20_000):  # the last also exceeds Pillow's limit
        Image.new("1", (pixels, pixels)).save(tmp_path / "bomb.png")
        started = time.perf_counter()
        with pytest.raises(PictureError, match=r"pixels.* 4,000,000 (that )?are read"):
            preprocess(tmp_path / "bomb.png")
        assert time.perf_counter() - started < 0.5


def photo(light, strokes=(), *, ink=0.15, paper=0.85, at=(150, 180), table=0):
    """Return a photo of strokes on paper, with a table around it: (640, 480) uint8."""
    placed = [points[:, :2] * 1.2 + at for points in parse(strokes)]
    covered = rasterize(placed, pen_width=6, height=640, width=480) if placed else 0
    sheet = np.full((640, 480), 0.2)
    inner = slice(table, 640 - table), slice(table, 480 - table)
    sheet[inner] = (paper + (ink - paper) * covered + np.zeros_like(sheet))[inner]
    grain = np.random.default_rng(0).normal(0, 0.01, sheet.shape)
    return (255 * np.clip(sheet * light + grain, 0, 1)).round().astype(np.uint8)


def lights():
    y, x = np.mgrid[0:1:640j, 0:1:480j]
    distance = np.hypot((x - 0.9) / 0.4, (y - 0.5) / 0.3) - 1
    return {
        "gradient": 1 - 0.5 * (x + y) / 2,
        "soft shadow": 1 - 0.45 / (1 + np.exp(10 * distance)),
        "sharp shadow": np.where(x + 0.3 * y > 0.6, 0.55, 1.0),
        "vignette": 1 - 0.5 * np.hypot(2 * x - 1, 2 * y - 1) ** 2 / 2,
    }


@pytest.fixture(scope="module")
def reader():
    return Reader.load("mlp-1024", device="cpu")


@pytest.mark.parametrize("light", lights())
def test_photos_under_uneven_light_are_read(light, reader, digits):
    lit, chalk = lights()[light], {"ink": 0.8, "paper": 0.25}
    for options in ({}, {"ink": 0.45}, {"table": 24}, chalk):
        if (light, options) == ("sharp shadow", {"table": 24}):
            continue  # the shadow and the table enclose a dark corner
        pictures = [photo(lit, each["strokes"], **options) for each in digits]
        readings = reader.read_batch(pictures)
        assert [r.digit for r in readings] == [each["digit"] for each in digits]
        assert {r.preprocessing.inverted for r in readings} == {options != chalk}


@pytest.mark.parametrize("light", lights())
def test_paper_under_uneven_light_is_blank(light):
    assert preprocess(photo(lights()[light])).blank


def test_digits_on_squared_paper_are_read(reader, digits):
    y, x = np.mgrid[:640, :480]
    squares = (y % 24 < 2) | (x % 24 < 2)
    lit = lights()["gradient"]
    assert preprocess(photo(lit * (1 - 0.12 * squares))).blank
    readings = reader.read_batch(photo(lit * (1 - 0.25 * squares), d["strokes"]) for d in digits)
    assert [r.digit for r in readings] == [each["digit"] for each in digits]


def test_the_report_of_a_photo_is_in_its_pixels():
    square = [[[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]]]
    done = preprocess(photo(lights()["gradient"], square, at=(150, 180)))
    np.testing.assert_allclose(done.box, [147, 177, 273, 303], atol=4)
    assert done.scale == pytest.approx(BOX / 126, rel=0.04)
    np.testing.assert_allclose(done.origin, np.array([210, 240]) - CENTRE / done.scale, atol=5)


def test_ink_on_paper_of_one_level_is_only_scaled(digits):
    for each in digits:
        for pen in (0.02, 0.14, 0.28):
            ink = np.pad(draw(each["strokes"], pen_width=pen), 20)
            for picture in (ink, 1 - ink, 0.2 + 0.5 * ink):
                found = find_ink(np.kron(picture, np.ones((4, 4))).astype(np.float32))
                np.testing.assert_allclose(found.strength[::4, ::4], ink / ink.max(), atol=0.021)
                assert not found.removed


def test_a_filled_shape_is_no_shadow():
    picture = np.full((400, 400), 255, np.uint8)
    picture[80:320, 60:300] = 0
    done = preprocess(picture)
    assert done.box == (60, 80, 300, 320)
    assert done.image[14, 14] == 1


def test_a_phones_photo_is_read(tmp_path, reader, digits):
    small = Image.fromarray(photo(lights()["vignette"], digits[5]["strokes"])).convert("RGB")
    small.resize((3000, 4000)).save(tmp_path / "photo.jpg", quality=70)
    assert reader.read(tmp_path / "photo.jpg").digit == digits[5]["digit"]
