"""Synthetic digits and outliers: their strokes, their images, and the cache."""

import json
from itertools import count, islice

import numpy as np
import pytest
from PIL import Image

from model import Reader
from tests.conftest import DATA
from training.synthetic import outliers, pack, pool, real_strokes
from training.synthetic.__main__ import main
from training.synthetic.digits import (
    draw_digits,
    draw_unseen_written_digits,
    draw_written_digits,
    load_digits,
)
from training.synthetic.outliers import NOT_A_DIGIT, draw_outliers, load_outliers
from training.synthetic.pool import N_PER_JOB, VERSION
from training.synthetic.real_strokes import load_character_strokes, load_digit_strokes
from training.synthetic.skeletons import DIGITS, LETTERS, SIGNS, parse_skeleton
from training.synthetic.strokes import add_bar, add_slash, catmull_rom, sample_strokes

SKELETONS = [*(text for texts in DIGITS.values() for text in texts), *LETTERS, *SIGNS]
RECORD = DATA / "synthetic-drawings.npz"  # reduced images of VERSION, written by record()


@pytest.fixture(scope="module")
def digits():
    return draw_digits((5, 0))


def read(images):
    return Reader.load("mlp-1024").read_batch(images.reshape(-1, 28, 28))


def test_a_skeleton_is_parsed_with_its_corners_and_strokes():
    two = parse_skeleton("0,0 50,100 / 100,0 + 10,20 30,40")
    assert [len(stroke) for stroke in two] == [2, 1]
    assert two[0][0][-1].tolist() == two[0][1][0].tolist() == [0.5, 1]
    assert two[1][0].tolist() == [[0.1, 0.2], [0.3, 0.4]]


def test_each_skeleton_gives_finite_strokes_of_a_sensible_size():
    for text in SKELETONS:
        strokes = sample_strokes(parse_skeleton(text), np.random.default_rng(0))
        assert len(strokes) == text.count("+") + 1, text
        assert all(np.isfinite(points).all() and len(points) > 2 for points in strokes), text
        assert np.ptp(np.concatenate(strokes)) < 4, text  # heights


def test_the_spline_passes_through_its_points():
    points = np.array([[0, 0], [1, 2], [3, 1], [4, 4]], float)
    np.testing.assert_allclose(catmull_rom(points, np.arange(4.0)), points)
    line = np.array([[0, 0], [1, 1], [2, 2]], float)
    np.testing.assert_allclose(catmull_rom(line, np.array([0.5, 1.5])), [[0.5, 0.5], [1.5, 1.5]])


def test_strokes_that_meet_still_meet_after_variation():
    cross = parse_skeleton("50,0 50,50 50,100 + 0,50 50,50 100,50")
    for seed in range(20):
        first, second = sample_strokes(cross, np.random.default_rng(seed))
        gap = np.linalg.norm(first[:, None] - second[None], axis=2).min()
        assert gap < 0.15


def test_digits_look_like_preprocessed_digits_and_are_read_as_their_labels(digits):
    images, labels = digits
    assert (images.shape, images.dtype) == ((N_PER_JOB, 784), np.uint8)
    assert np.bincount(labels).tolist() == [N_PER_JOB // 10] * 10
    heights = (images.reshape(-1, 28, 28).max(axis=2) > 60).sum(axis=1)
    assert 17 < np.median(heights) <= 21
    assert images.max(axis=1).min() == 255
    ink = images.mean(axis=1) / 255
    assert ink.min() < 0.05 < 0.2 < ink.max()  # from a hairline to a marker
    readings = read(images)
    assert np.mean([r.digit == y for r, y in zip(readings, labels, strict=True)]) > 0.97
    assert np.mean([r.verdict == "digit" for r in readings]) > 0.97


def test_written_digits_are_varied_and_read_as_their_labels():
    for draw in (draw_written_digits, draw_unseen_written_digits):
        images, labels = draw((5, 0))
        assert np.bincount(labels).tolist() == [N_PER_JOB // 10] * 10
        assert len(np.unique(images, axis=0)) > 0.95 * N_PER_JOB
        assert np.mean([r.digit == y for r, y in zip(read(images), labels, strict=True)]) > 0.93


def test_no_writer_of_digits_is_trained_on_and_validated_on():
    train, val = (load_digit_strokes(validation=validation) for validation in (False, True))
    assert (len(set(train.writers)), len(set(val.writers))) == (24, 6)
    assert not set(train.writers) & set(val.writers)
    assert len(train.drawings) + len(val.drawings) == 7_494
    for written in (train, val):
        assert set(written.labels) == set(range(10))
        every = np.concatenate([point for strokes in written.drawings for point in strokes])
        assert (every.min(), every.max()) == (0, 1)


def test_characters_of_other_scripts_have_twenty_writers_each():
    characters = load_character_strokes()
    assert len(set(characters.writers)) == 20
    assert np.unique(characters.labels, return_counts=True)[1].tolist() == [20] * 106


def test_strokes_are_packed_and_read_back(tmp_path):
    strokes = [[[100, 50], [100, 50], [100, 250]], [[0, 150], [200, 150]]]
    rows = [
        {"alphabet": "Latin", "character": 3, "drawer": 7, "strokes": strokes},
        {"alphabet": "Latin", "character": 1, "drawer": 7, "strokes": strokes},  # like a digit
        {"alphabet": "Korean", "character": 3, "drawer": 7, "strokes": strokes},  # held out
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "strokes.jsonl").write_text(lines, encoding="utf-8")
    packed = tmp_path / "strokes.npz"
    assert pack.main([str(tmp_path / "strokes.jsonl"), str(packed)]) == 0
    read_back = real_strokes._load(packed)
    assert (read_back.labels.tolist(), read_back.writers.tolist()) == ([3], [7])
    [[first, second]] = read_back.drawings
    assert first.tolist() == [[0.5, 0], [0.5, 1]]  # of the longer side, without the repetition
    assert second.tolist() == [[0, 0.5], [1, 0.5]]


def test_a_slash_crosses_a_zero_and_a_bar_the_stem_of_a_seven():
    t = np.linspace(0, 2 * np.pi, 40)
    zero = [np.stack([0.3 * np.cos(t), 0.5 * np.sin(t)], axis=1)]
    seven = [
        catmull_rom(np.array([[0, 0], [0.6, 0], [0.45, 0.5], [0.3, 1]]), np.linspace(0, 3, 40))
    ]
    for seed in range(20):
        *kept, slash = add_slash(zero, np.random.default_rng(seed))
        assert kept == zero
        assert np.ptp(slash, axis=0).min() > 0.2
        assert np.abs(slash).max() < 1
        *kept, bar = add_bar(seven, np.random.default_rng(seed))
        assert kept == seven
        assert 0.3 < bar[:, 1].mean() < 0.75
        stem = 0.6 - 0.3 * bar[:, 1].mean()
        assert bar[:, 0].min() < stem < bar[:, 0].max()


def test_outliers_are_rejected():
    images, labels = draw_outliers((5, 0))
    assert set(labels) == {NOT_A_DIGIT}
    assert np.mean([r.verdict != "digit" for r in read(images)]) > 0.9


def test_each_kind_of_outlier_gives_finite_strokes():
    for kind, *_ in outliers.KINDS:
        for seed in range(10):
            strokes = kind(np.random.default_rng(seed))
            assert strokes, kind
            assert all(s.shape[1:] == (2,) and np.isfinite(s).all() for s in strokes), kind


@pytest.mark.parametrize("draw", [draw_digits, draw_written_digits, draw_outliers])
def test_a_seed_determines_the_images(draw):
    first, again, other = draw((0, 0))[0], draw((0, 0))[0], draw((0, 1))[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first, axis=0)) > 0.95 * len(first)


def test_the_cache_is_keyed_by_the_version_the_number_and_the_seed(tmp_path, monkeypatch):
    cache = tmp_path / "new"
    drawn = load_digits(60, seed=3, cache=cache)
    assert [path.name for path in cache.iterdir()] == [f"digits-v{VERSION}-60-3.npz"]

    def fail(*_, **__):
        raise AssertionError("the images are drawn again")

    monkeypatch.setattr(pool, "ProcessPoolExecutor", fail)
    again = load_digits(60, seed=3, cache=cache)
    assert drawn.images.equal(again.images)
    assert drawn.labels.equal(again.labels)
    for load, n, seed in ((load_digits, 61, 3), (load_digits, 60, 4), (load_outliers, 60, 3)):
        with pytest.raises(AssertionError):
            load(n, seed=seed, cache=cache)
    monkeypatch.setattr(pool, "VERSION", VERSION + 1)
    with pytest.raises(AssertionError):
        load_digits(60, seed=3, cache=cache)


def test_a_damaged_cache_is_drawn_again(tmp_path):
    drawn = load_digits(20, seed=3, cache=tmp_path)
    [cached] = tmp_path.iterdir()
    cached.write_bytes(cached.read_bytes()[:100])
    assert load_digits(20, seed=3, cache=tmp_path).images.equal(drawn.images)


def test_a_cache_that_cannot_be_written_is_only_a_warning(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert len(load_digits(20, seed=0, cache=tmp_path / "file" / "cache").images) == 20
    assert "synthetic images are not cached" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--outliers"]])
def test_the_command_writes_a_sheet_of_images(tmp_path, options):
    assert main(["--sheet", str(tmp_path / "sheet.png"), *options]) == 0
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size == (1_120, 1_400)
        low, high = image.convert("L").getextrema()
    assert low < 50 < 200 < high


def samples():
    """Return images of each way of drawing.

    Noise is rare among the outliers, and it alone uses the removal of noise in model/ink.py.
    """
    rng = np.random.default_rng(0)
    noise = (outliers._noise(rng) for _ in count())
    visible = (image for image in noise if image is not None)
    return {
        "digits": draw_digits((0, 0))[0],
        "written": draw_written_digits((0, 0))[0],
        "outliers": draw_outliers((0, 0))[0],
        "noise": np.stack([*islice(visible, N_PER_JOB)]),
    }


def reduce_images(images):
    """Return the means of each image's tiles of 7 × 7 pixels, (N, 4, 4), small enough to keep."""
    return images.reshape(-1, 4, 7, 4, 7).mean(axis=(2, 4)).round().astype(np.uint8)


def test_the_images_are_those_of_the_recorded_version():
    """Compare reduced images instead of hashes.

    Processors and versions of NumPy and Pillow round differently, so pixels may differ by one
    level, and rarely a threshold falls on the other side.
    """
    recorded = np.load(RECORD)
    record = "run python -m tests.test_synthetic"
    assert recorded["version"] == VERSION, f"Version {VERSION} is not recorded: {record}"
    for name, images in samples().items():
        difference = np.abs(reduce_images(images) - recorded[name].astype(int))
        n = int((difference.max(axis=(1, 2)) > 1).sum())
        assert n <= len(images) / N_PER_JOB, (
            f"{n} of {len(images)} {name} have changed: raise pool.VERSION, then {record}"
        )


def record():
    """Write the reduced images of a new version."""
    if RECORD.is_file() and np.load(RECORD)["version"] == VERSION:
        raise SystemExit(
            f"Version {VERSION} is recorded: raise VERSION in training/synthetic/pool.py first."
        )
    reduced = {name: reduce_images(images) for name, images in samples().items()}
    np.savez_compressed(RECORD, version=VERSION, **reduced)


if __name__ == "__main__":
    record()
