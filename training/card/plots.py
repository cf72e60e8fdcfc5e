"""Draw the card's plots as PNG files. Equal figures give equal bytes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from model.checkpoint_files import write_whole
from model.explain import heaviest_units
from model.figures import decode_pixels
from model.mlp import MLP, N_CLASSES, SIZE
from training.card.formatting import sure
from training.metrics import wilson

NAMES = ("training", "confusion", "reliability", "refusal", "hidden", "mistakes")
WIDTH = 7.2  # inches: 720 px where a page shows them, and text of 10 points then has 14 px
DPI = 150
COLOURS = 128  # of a PNG's palette

# Okabe and Ito's, told apart by everyone: https://jfly.uni-koeln.de/color/
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
)  # fmt: skip
GREY, DARK = "#8a8a8a", "#222222"
# Blue is positive and orange is negative, as on the app's pages.
WEIGHTS = LinearSegmentedColormap.from_list("weights", [RED, "white", BLUE])
STYLES = dict(
    zip(
        ("letters", "script", "scribbles", "dots", "dashes", "two digits", "noisy paper"),
        ((BLUE, "o"), (SKY, "s"), (RED, "^"), (PURPLE, "v"), (GREEN, "D"), (ORANGE, "P"),
         (GREY, "X")),
        strict=True,
    )
)  # fmt: skip


def draw_plots(
    results: Mapping[str, Any], evaluation: Mapping[str, Any], model: MLP
) -> Iterator[tuple[str, Figure]]:
    """Yield the name and the figure of each plot whose figures are available."""
    if results.get("history"):
        yield "training", plot_training(results)
    if evaluation.get("test"):
        test = evaluation["test"]
        yield "confusion", plot_confusion(test["confusion"])
        yield "reliability", plot_reliability(test["bins"])
        if test["mistakes"]:
            yield "mistakes", plot_mistakes(test["mistakes"])
    if evaluation.get("refusal"):
        yield "refusal", plot_rejection(evaluation["refusal"])
    yield "hidden", plot_hidden(model)


def save(figure: Figure, path: Path) -> None:
    """Write a figure atomically as a PNG with a palette and without a date."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    image = pixels.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    write_whole(path, lambda beside: image.save(beside, "PNG", optimize=True))


def plot_training(results: Mapping[str, Any]) -> Figure:
    """Plot loss and error by epoch, with the epoch whose weights are kept."""
    history = results["history"]
    epochs = [each["epoch"] for each in history]
    figure = _figure(2.9)
    losses, errors = figure.subplots(1, 2)
    for key, label, colour in (("loss", "training", BLUE), ("val_loss", "validation", ORANGE)):
        losses.plot(epochs, [each[key] for each in history], label=label, color=colour)
    _label(losses, "Loss", "epoch", "cross-entropy")
    for key, label, colour in (
        ("val_accuracy", "validation", ORANGE),
        ("synthetic_digits_accuracy", "synthetic digits", GREEN),
    ):  # fmt: skip
        if history[0].get(key) is not None:
            wrong = [100 * (1 - each[key]) for each in history]
            errors.plot(epochs, wrong, label=label, color=colour)
    _label(errors, "Error", "epoch", "error in %")
    for axes in (losses, errors):
        _spread(axes)
        axes.axvline(results["best_epoch"], color=GREY, lw=1, ls="--", label="kept")
        axes.legend(frameon=False)
    return figure


def _spread(axes: Axes) -> None:
    """Start the vertical axis at 0, or make it logarithmic if the values span a factor of 8."""
    values = np.concatenate([line.get_ydata() for line in axes.lines])
    if values.min() <= 0 or values.max() / values.min() < 8:
        axes.set_ylim(bottom=0)
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(_few))


def _few(value: float, _: object) -> str:
    """Label the ticks at 2 and 5 between powers of ten."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""


def plot_confusion(counts: list[list[int]]) -> Figure:
    """Plot the confusion matrix: labels in rows, answers in columns."""
    matrix = np.array(counts)
    wrong = np.where(np.eye(N_CLASSES, dtype=bool), 0, matrix)
    figure = _figure(5.6)
    axes = figure.subplots()
    axes.imshow(
        np.ma.masked_equal(wrong, 0), cmap="Oranges", vmin=0, vmax=1.6 * max(wrong.max(), 1)
    )
    for row, column in np.ndindex(matrix.shape):
        correct = row == column
        if count := matrix[row, column]:
            text = axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=9)
            text.set_color(GREY if correct else DARK)
    _label(axes, "Test images: correct in grey, mistakes in orange", "read as", "label")
    axes.set_xticks(range(N_CLASSES))
    axes.set_yticks(range(N_CLASSES))
    axes.set_xticks(np.arange(N_CLASSES + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(N_CLASSES + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e8e8e8", lw=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    return figure


def plot_reliability(bins: list[Mapping[str, Any]]) -> Figure:
    """Plot accuracy by confidence, and the number of images in each bin."""
    there = [each for each in bins if each["n"]]
    confidence, accuracy = (
        np.array([100 * each[key] for each in there]) for key in ("confidence", "accuracy")
    )
    intervals = [wilson(round(each["n"] * each["accuracy"]), each["n"]) for each in there]
    ends = np.array([[100 * each["low"], 100 * each["high"]] for each in intervals]).T
    figure = _figure(4.6)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    axes.plot([0, 100], [0, 100], color=GREY, lw=1, ls="--", label="perfect calibration")
    axes.errorbar(
        confidence, accuracy, np.abs(ends - accuracy),
        fmt="o", color=BLUE, capsize=2, lw=1, label="measured, with 95 % intervals",
    )  # fmt: skip
    _label(axes, "Accuracy by confidence", "", "accuracy in %")
    axes.legend(frameon=False, loc="lower right")
    left = [100 * each["low"] for each in there]
    width = 100 / len(bins)
    below.bar(left, [each["n"] for each in there], width, align="edge", color=BLUE, ec="white")
    below.set_yscale("log")
    below.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    _label(below, "", "confidence, %", "images")
    below.set_xlim(0, 100)
    axes.set_ylim(-2, 102)
    return figure


def plot_rejection(measured: Mapping[str, Any]) -> Figure:
    """Plot the share rejected by threshold, for digits and for other input."""
    curve = measured["curve"]
    thresholds = [each["threshold"] for each in curve]
    figure = _figure(4.4)
    digits, others = figure.subplots(1, 2, sharex=True)
    for key, label, colour in (("test", "MNIST test", BLUE), ("pens", "synthetic digits", GREEN)):
        digits.plot(
            thresholds, [100 * e[key] for e in curve], "o-", ms=3, color=colour, label=label
        )
    _label(digits, "Digits: wrongly rejected", "threshold", "% rejected")
    digits.set_ylim(bottom=0)
    for kind in measured["kinds"]:
        colour, marker = STYLES.get(kind, (DARK, "."))
        shares = [100 * each[kind] for each in curve]
        others.plot(
            thresholds, shares, color=colour, marker=marker, ms=4, lw=1.4, label=kind, clip_on=False
        )
    _label(others, "Not digits: rightly rejected", "threshold", "% rejected")
    others.set_ylim(0, 101)
    for axes in (digits, others):
        axes.axvline(measured["threshold"], color=GREY, lw=1, ls="--", label="as shipped")
        axes.legend(
            frameon=False, fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.18)
        )
    return figure


def plot_hidden(model: MLP) -> Figure:
    """Show the first layer's weights: one picture per unit, or per digit without hidden layers."""
    weights = model.state_dict()["layers.0.weight"].numpy(force=True)
    order, digits = heaviest_units(model)
    titles = [f"for {digit}" for digit in digits] if digits else [f"{unit}" for unit in order]
    columns = 5 if len(order) <= N_CLASSES else 8
    tiles = [weights[i].reshape(SIZE, SIZE) for i in order]
    scaled = [tile / (np.abs(tile).max() or 1) for tile in tiles]
    return _tiles(scaled, titles, columns=columns, cmap=WEIGHTS, low=-1)


def plot_mistakes(wrong: list[Mapping[str, Any]]) -> Figure:
    """Show the most confident mistakes."""
    tiles = [
        np.frombuffer(decode_pixels(each["pixels"]), np.uint8).reshape(SIZE, SIZE) / 255
        for each in wrong
    ]
    titles = [f"{e['label']} read as {e['digit']}\n{sure(e['confidence'])}" for e in wrong]
    return _tiles(tiles, titles, columns=5, cmap="gray_r", low=0)


def _tiles(
    tiles: list[np.ndarray], titles: list[str], *, columns: int, cmap: str | Colormap, low: float
) -> Figure:
    """Lay out tiles, (28, 28) with values from `low` to 1, in rows, each below its title."""
    gap, above = (
        2,
        6 * (1 + titles[0].count("\n")) * columns / 8,
    )  # px of a tile: titles are in points
    rows = -(-len(tiles) // columns)
    width, height = columns * (SIZE + gap) - gap, rows * (SIZE + gap + above) - gap
    figure = Figure(figsize=(WIDTH, WIDTH * height / width), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    for i, (tile, title) in enumerate(zip(tiles, titles, strict=True)):
        left, top = i % columns * (SIZE + gap), i // columns * (SIZE + gap + above) + above
        extent = (left, left + SIZE, top + SIZE, top)
        axes.imshow(tile, cmap, vmin=low, vmax=1, extent=extent, interpolation="nearest")
        middle = left + SIZE / 2
        axes.text(middle, top - 0.7, title, fontsize=9, ha="center", va="bottom", color=DARK)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure


def _figure(height: float) -> Figure:
    return Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained", facecolor="white")


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=DARK)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    if x == "epoch":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
