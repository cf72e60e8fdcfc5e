"""Accuracy of each shipped network on generated photos of digits, by light, sheet and ink.

A photo shows strokes in ink on paper with a grain, under some light, with a camera's noise, as
JPEG. The digits are the page's examples and synthetic digits from seeds that training does not use.
The same sheets are used under each light, so that lights can be compared. A rejected photo counts
as an error, and an empty sheet is read correctly if its verdict is blank.

Run: python -m benchmarks.photos [--model NAME ...] [--count N] [--seed N]
"""

import argparse
import io
import json
import sys
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.browser import ROOT
from model import Reader
from model.checkpoint import shipped_names
from model.drawing import parse as parse_strokes
from model.drawing import rasterize
from training.synthetic.digits import sample_digit

WIDTH, HEIGHT = 768, 1_024  # px; the page reduces a photo of 3000 × 4000 to this size
FILL = (0.15, 0.8)  # longer side of a digit, as a share of the photo's width
THICK_FILL = (0.5, 0.8)  # the same with a thick pen: smaller digits would be blots
PAPER, BOARD, TABLE = (0.85, 0.84, 0.8), (0.24, 0.27, 0.25), (0.28, 0.21, 0.17)  # sRGB values
GRAIN = 0.008  # standard deviation of the sheet's lightness
NOISE = 0.015  # standard deviation of the camera's noise
QUALITY = 70  # of the JPEG
LINES = 32  # px between ruled lines; 8 mm if the sheet fills the photo
# Colour, opacity, range of the line's width, and range of the digit's size as in FILL.
# The width is a share of the photo's width.
INKS = {
    "ballpoint": ((0.12, 0.18, 0.52), 0.9, (0.005, 0.010), FILL),
    "marker": ((0.08, 0.08, 0.09), 1.0, (0.020, 0.035), FILL),
    "thick pen": ((0.08, 0.08, 0.09), 1.0, (0.040, 0.080), THICK_FILL),
    "pencil": ((0.35, 0.35, 0.36), 0.8, (0.005, 0.010), FILL),
    "chalk": ((0.90, 0.90, 0.86), 0.9, (0.010, 0.020), FILL),
}
FIRST_SEED = 1_000  # training uses seeds 0 and 1
MAX_COUNT = 10_000  # photos of one seed

Light = Callable[[np.random.Generator], np.ndarray]


def even(rng: np.random.Generator) -> np.ndarray:
    """Return nearly even light, 5 % darker at one side: (H, W)."""
    return 1 - 0.05 * _ramp(rng)


def gradient(rng: np.random.Generator) -> np.ndarray:
    """Return light from a window at one side: (H, W)."""
    return 1 - rng.uniform(0.35, 0.65) * _ramp(rng)


def lamp(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    distance = np.hypot(x - rng.uniform(0.1, 0.9) * WIDTH, y - rng.uniform(0.1, 0.9) * HEIGHT)
    return 1 / (1 + rng.uniform(0.7, 1.5) * (distance / HEIGHT) ** 2)


def vignette(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    radius = np.hypot(x - WIDTH / 2, y - HEIGHT / 2) / np.hypot(WIDTH / 2, HEIGHT / 2)
    return 1 - rng.uniform(0.4, 0.65) * radius**2


def soft_shadow(rng: np.random.Generator) -> np.ndarray:
    return _shadow(rng, edge=rng.uniform(0.05, 0.2) * WIDTH)


def sharp_shadow(rng: np.random.Generator) -> np.ndarray:
    return _shadow(rng, edge=rng.uniform(2, 8))


def two_lights(rng: np.random.Generator) -> np.ndarray:
    return gradient(rng) * soft_shadow(rng)


LIGHTS: dict[str, Light] = {
    "even": even, "gradient": gradient, "lamp": lamp, "vignette": vignette,
    "soft shadow": soft_shadow, "sharp shadow": sharp_shadow, "both": two_lights,
}  # fmt: skip
# The sheet and the ink of each scene.
SCENES = {
    "ballpoint": ("plain", "ballpoint"),
    "marker": ("plain", "marker"),
    "thick pen": ("plain", "thick pen"),
    "pencil": ("plain", "pencil"),
    "ruled": ("ruled", "ballpoint"),
    "squared": ("squared", "ballpoint"),
    "on a table": ("table", "ballpoint"),
    "blackboard": ("board", "chalk"),
    "empty": ("plain", None),
    "empty, ruled": ("ruled", None),
}


def _grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) + 0.5
    return x, y


def _ramp(rng: np.random.Generator) -> np.ndarray:
    """Return a ramp from 0 to 1 across the photo, in a random direction."""
    angle, (x, y) = rng.uniform(0, 2 * np.pi), _grid()
    along = x * np.cos(angle) + y * np.sin(angle)
    return (along - along.min()) / np.ptp(along)


def _shadow(rng: np.random.Generator, *, edge: float) -> np.ndarray:
    """Return light with a shadow over one side, or the shadow of an arm; `edge` is in px."""
    depth, angle, (x, y) = rng.uniform(0.3, 0.55), rng.uniform(0, 2 * np.pi), _grid()
    x, y = x - rng.uniform(0.3, 0.7) * WIDTH, y - rng.uniform(0.3, 0.7) * HEIGHT
    along = x * np.cos(angle) + y * np.sin(angle)
    across = np.abs(x * np.sin(angle) - y * np.cos(angle))
    arm = np.where(along > 0, across, np.hypot(x, y)) - rng.uniform(0.12, 0.25) * WIDTH
    outside = arm if rng.random() < 0.6 else -along
    return 1 - depth / (1 + np.exp(np.clip(4 * outside / edge, -50, 50)))


def render_scene(strokes: list, seed: int, *, sheet: str = "plain", ink: str | None) -> np.ndarray:
    """Return the reflectance of a sheet, with strokes if there is an ink: (H, W, 3) in 0..1."""
    rng = np.random.default_rng(seed)
    scene = _paper(rng, sheet)
    if ink:
        colour, cover, (low, high), fill = INKS[ink]
        covered = cover * _place(strokes, rng, width=rng.uniform(low, high) * WIDTH, fill=fill)
        scene += covered[:, :, None] * (np.array(colour) - scene)
    return _on_table(scene, rng) if sheet == "table" else scene


def take_photo(scene: np.ndarray, seed: int, *, light: Light) -> Image.Image:
    """Return a photo of a scene under a light, as an RGB image that was stored as JPEG."""
    rng = np.random.default_rng((seed, 1))
    seen = scene * light(rng)[:, :, None] + rng.normal(0, NOISE, (HEIGHT, WIDTH, 1))
    file, levels = io.BytesIO(), (255 * np.clip(seen, 0, 1)).round().astype(np.uint8)
    Image.fromarray(levels).save(file, "JPEG", quality=QUALITY)
    return Image.open(file)


def _paper(rng: np.random.Generator, sheet: str) -> np.ndarray:
    fibres = Image.fromarray(rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32))
    fibres = np.asarray(fibres.reduce(3).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    grain = 1 + GRAIN * fibres / fibres.std()
    if sheet in ("ruled", "squared"):
        angle = rng.normal(0, 0.02)
        x, y = _grid()
        turned = (y + angle * x, x - angle * y) if sheet == "squared" else (y + angle * x,)
        for along in turned:
            apart = np.abs((along + rng.uniform(0, LINES)) % LINES - LINES / 2)
            grain = grain * (1 - rng.uniform(0.08, 0.16) * np.clip(1.5 - apart, 0, 1))
    return grain[:, :, None] * np.array(BOARD if sheet == "board" else PAPER)


def _place(
    strokes: list, rng: np.random.Generator, *, width: float, fill: tuple[float, float]
) -> np.ndarray:
    """Render strokes at a random position and size: coverage by ink, (H, W) in 0..1."""
    points = [p[:, :2] for p in parse_strokes(strokes)]
    every = np.concatenate(points)
    low, extent = every.min(axis=0), np.ptp(every, axis=0)
    scale = rng.uniform(*fill) * WIDTH / max(extent.max(), 1e-9)
    # Keep a margin of 10 % around the ink.
    room = np.maximum(np.array([WIDTH, HEIGHT]) * 0.8 - extent * scale, 0)
    corner = np.array([WIDTH, HEIGHT]) * 0.1 + rng.uniform(0, 1, 2) * room
    placed = [(p - low) * scale + corner for p in points]
    return rasterize(placed, pen_width=width, height=HEIGHT, width=WIDTH)


def _on_table(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Show a table around the sheet, which is slightly rotated."""
    mask = Image.new("L", (WIDTH, HEIGHT), 0)
    inset = rng.uniform(0.02, 0.09, 4) * WIDTH
    mask.paste(255, (int(inset[0]), int(inset[1]), WIDTH - int(inset[2]), HEIGHT - int(inset[3])))
    turned = mask.rotate(rng.uniform(-2, 2), Image.Resampling.BICUBIC)
    sheet = np.asarray(turned.filter(ImageFilter.GaussianBlur(1)), np.float32)[:, :, None] / 255
    return sheet * scene + (1 - sheet) * np.array(TABLE)


def drawings(count: int, seed: int) -> list[tuple[int, list]]:
    """Return `count` digits with their strokes: the page's examples, then synthetic digits."""
    lines = (ROOT / "ui" / "draw" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    examples = [(row["digit"], row["strokes"]) for row in map(json.loads, lines)]
    rng = np.random.default_rng(FIRST_SEED + seed)
    synthetic = [(i % 10, sample_digit(i % 10, rng)) for i in range(count - len(examples))]
    return (examples + synthetic)[:count]


def is_correct(reader: Reader, drawing: tuple[int, list], seed: int, name: str) -> list[bool]:
    """Return for each light whether a photo of the drawing is read correctly."""
    digit, strokes = drawing
    sheet, ink = SCENES[name]
    scene = render_scene(strokes, seed, sheet=sheet, ink=ink)
    photos = (take_photo(scene, seed, light=light) for light in LIGHTS.values())
    readings = reader.read_batch(photos)
    return [r.digit == digit if ink else r.verdict == "blank" for r in readings]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=["mlp-1024"], choices=shipped_names())
    parser.add_argument("--count", type=int, default=30, help="of photos in each cell (30)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name in options.model:
        reader = Reader.load(name, device="cpu")
        print(f"\n{name}, {options.count} photos a cell; accuracy in %")
        print(f"{'':14}" + "".join(f"{light:>14}" for light in LIGHTS))
        for scene in SCENES:
            right = [
                is_correct(reader, drawing, MAX_COUNT * options.seed + i, scene)
                for i, drawing in enumerate(drawings(options.count, options.seed))
            ]
            shares = 100 * np.mean(right, axis=0)
            print(f"{scene:14}" + "".join(f"{share:14.0f}" for share in shares), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
