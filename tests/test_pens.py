from itertools import count, islice

import numpy as np
import pytest
from PIL import Image

from model import Reader
from tests.conftest import DATA, run
from training import outliers, pens
from training.outliers import NOT_A_DIGIT, draw_outliers, load_outliers
from training.pens import (
    DIGITS,
    N_PER_JOB,
    VERSION,
    catmull_rom,
    draw_pens,
    load_pens,
    parse,
    write,
)

SKELETONS = [text for texts in DIGITS.values() for text in texts]
DRAWINGS = DATA / "synthetic-drawings.npz"  # tiles of what VERSION draws: see record()
SHAPES = [*SKELETONS, *outliers.LETTERS, *outliers.SIGNS]


@pytest.fixture(scope="module")
def drawn():
    return draw_pens((5, 0))


def test_corners_and_lifted_pens_are_where_the_text_says():
    two = parse("0,0 50,100 / 100,0 + 10,20 30,40")
    assert [len(stroke) for stroke in two] == [2, 1]
    assert two[0][0][-1].tolist() == two[0][1][0].tolist() == [0.5, 1]
    assert two[1][0].tolist() == [[0.1, 0.2], [0.3, 0.4]]


@pytest.mark.parametrize("text", SHAPES)
def test_every_skeleton_can_be_written(text):
    strokes = write(parse(text), np.random.default_rng(0))
    assert len(strokes) == text.count("+") + 1
    assert all(np.isfinite(points).all() and len(points) > 2 for points in strokes)
    assert np.ptp(np.concatenate(strokes)) < 4  # heights


def test_the_curve_runs_through_its_points():
    points = np.array([[0, 0], [1, 2], [3, 1], [4, 4]], float)
    np.testing.assert_allclose(catmull_rom(points, np.arange(4.0)), points)
    line = np.array([[0, 0], [1, 1], [2, 2]], float)
    np.testing.assert_allclose(catmull_rom(line, np.array([0.5, 1.5])), [[0.5, 0.5], [1.5, 1.5]])


def test_where_strokes_meet_they_stay_together():
    cross = parse("50,0 50,50 50,100 + 0,50 50,50 100,50")
    for seed in range(20):
        first, second = write(cross, np.random.default_rng(seed))
        gap = np.linalg.norm(first[:, None] - second[None], axis=2).min()
        assert gap < 0.15


def test_pens_are_digits_as_preprocessing_frames_them(drawn):
    images, labels = drawn
    assert images.shape == (N_PER_JOB, 784)
    assert images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [N_PER_JOB // 10] * 10
    rows = images.reshape(-1, 28, 28).max(axis=2) > 60
    heights = rows.sum(axis=1)
    assert 17 < np.median(heights) <= 21
    assert images.max(axis=1).min() == 255
    ink = images.mean(axis=1) / 255
    assert ink.min() < 0.05 < 0.2 < ink.max()  # from a hairline to a marker
    right = [r.digit == y for r, y in zip(_read(images), labels, strict=True)]
    assert np.mean(right) > 0.97


def test_outliers_are_refused(drawn):
    images, labels = draw_outliers((5, 0))
    assert set(labels) == {NOT_A_DIGIT}
    refused = np.mean([r.verdict != "digit" for r in _read(images)])
    kept = np.mean([r.verdict == "digit" for r in _read(drawn[0])])
    assert refused > 0.9
    assert kept > 0.97


def _read(images):
    return Reader.load("mlp-1024").read_batch(images.reshape(-1, 28, 28))


@pytest.mark.parametrize("kind", [kind for kind, *_ in outliers.KINDS])
def test_every_kind_can_be_drawn(kind):
    for seed in range(10):
        strokes = kind(np.random.default_rng(seed))
        assert strokes
        assert all(s.ndim == 2 and s.shape[1] == 2 and np.isfinite(s).all() for s in strokes)


@pytest.mark.parametrize("make", [draw_pens, draw_outliers])
def test_a_seed_is_a_drawing(make):
    first, again, other = make((0, 0))[0], make((0, 0))[0], make((0, 1))[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first, axis=0)) > 0.95 * len(first)


def test_the_cache_is_keyed_by_the_version_the_number_and_the_seed(tmp_path, monkeypatch):
    drawn = load_pens(60, seed=3, cache=tmp_path / "c")
    # Nothing else decides the name: a changed comment draws nothing again.
    assert [path.name for path in (tmp_path / "c").iterdir()] == [f"pens-v{VERSION}-60-3.npz"]

    def never(*_, **__):
        raise AssertionError("drawn again")

    monkeypatch.setattr(pens, "ProcessPoolExecutor", never)
    again = load_pens(60, seed=3, cache=tmp_path / "c")
    assert drawn.images.equal(again.images)
    assert drawn.labels.equal(again.labels)
    for load, n, seed in ((load_pens, 61, 3), (load_pens, 60, 4), (load_outliers, 60, 3)):
        with pytest.raises(AssertionError):
            load(n, seed=seed, cache=tmp_path / "c")
    monkeypatch.setattr(pens, "VERSION", VERSION + 1)
    with pytest.raises(AssertionError):
        load_pens(60, seed=3, cache=tmp_path / "c")


def samples():
    """Images of each way of drawing; one seed says as much as any other, as the code is the same.

    Noise is rare among the outliers, and alone uses the part of model/ink.py that removes noise.
    """
    rng = np.random.default_rng(0)
    noise = (outliers._noise(rng) for _ in count())
    visible = (image for image in noise if image is not None)
    return {
        "pens": draw_pens((0, 0))[0],
        "outliers": draw_outliers((0, 0))[0],
        "noise": np.stack([*islice(visible, N_PER_JOB)]),
    }


def tiles(images):
    """The mean of each of 4 × 4 tiles of each image, (N, 4, 4): small enough to be kept."""
    return images.reshape(-1, 4, 7, 4, 7).mean(axis=(2, 4)).round().astype(np.uint8)


def differing(images, recorded):
    """How many images differ from the recorded ones.

    Processors and versions of NumPy and Pillow round differently, so pixels may differ by a level,
    and once in a great while a threshold falls on the other side. A hash would not allow for that.
    """
    return int((np.abs(tiles(images) - recorded.astype(int)).max(axis=(1, 2)) > 1).sum())


def test_the_images_are_those_of_the_recorded_version():
    recorded = np.load(DRAWINGS)
    record = "run python -m tests.test_pens"
    assert recorded["version"] == VERSION, f"Version {VERSION} is not recorded: {record}"
    for name, images in samples().items():
        n = differing(images, recorded[name])
        assert n <= len(images) / N_PER_JOB, (
            f"{n} of {len(images)} {name} have changed: raise pens.VERSION, {record}"
        )


def record():
    """Keep the tiles of the samples for a new version."""
    if DRAWINGS.is_file() and np.load(DRAWINGS)["version"] == VERSION:
        raise SystemExit(f"Version {VERSION} is recorded: raise VERSION in training/pens.py first.")
    kept = {name: tiles(images) for name, images in samples().items()}
    np.savez_compressed(DRAWINGS, version=VERSION, **kept)


def test_a_damaged_cache_is_drawn_again(tmp_path):
    drawn = load_pens(20, seed=3, cache=tmp_path)
    [kept] = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert load_pens(20, seed=3, cache=tmp_path).images.equal(drawn.images)


def test_a_folder_that_cannot_be_written_does_not_matter(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert len(load_pens(20, seed=0, cache=tmp_path / "file" / "c").images) == 20
    assert "not cached" in capsys.readouterr().err


@pytest.mark.parametrize("extra", [[], ["--outliers"]])
def test_the_sheet_can_be_looked_at(tmp_path, extra):
    done = run("-m", "training.pens", "--sheet", str(tmp_path / "sheet.png"), *extra)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.width > 1_000
        low, high = image.convert("L").getextrema()
    assert low < 50 < 200 < high


if __name__ == "__main__":
    record()
