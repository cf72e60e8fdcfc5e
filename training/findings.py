"""The sections of a model card that tell what was measured, from evaluation.json.

Beside each plot stands its text for those who do not see it: what it shows, with its figures.
"""

import base64
from collections.abc import Iterator, Sequence

from model.explain import SHOWN_UNITS
from model.mlp import N_CLASSES, N_PIXELS
from training.strangers import ALIKE
from training.wording import (
    Figures,
    a,
    area,
    by_writer,
    image,
    interval,
    not_measured,
    part,
    percent,
    points,
    sure,
    table,
)


def evaluated(results: Figures, evaluation: Figures) -> Iterator[str]:
    yield "## Evaluation"
    if not evaluation:
        yield not_measured("Accuracy, calibration and refusals")
        return
    yield "### Testing data and metrics"
    yield (
        f"```bash\n{evaluation['command']}\n```\n\nMNIST's test set; synthetic digits of a seed of "
        "their own, by the program that draws those of training; people's drawings, where there "
        "are some; ink that is no digit; and drawings that arrive changed. None of it was trained "
        "on, nor used to choose an epoch, a temperature or a threshold. But such figures were "
        "looked at while the recipe was developed, on MNIST's test set and on people's drawings "
        "too, so they may flatter it."
    )
    yield (
        "Read right means: the likeliest digit is the label, refused or not. Answered right means: "
        "the answer is a digit, and it is the label. The calibration error is the mean gap between "
        "confidence and accuracy in 15 bins of confidence. It is above 0 by chance, too: beside it "
        "stands what true probabilities would show on as many pictures."
    )
    yield from _mnist(evaluation["test"])
    yield from _by_digit(evaluation["test"])
    yield from _calibration(evaluation)
    yield from _people(evaluation.get("drawings"))
    yield from _changes(evaluation["changes"])
    yield from _verdict(results, evaluation)


def _mnist(test: Figures) -> Iterator[str]:
    yield "### MNIST's test set"
    wrong = _wrong(test)
    yield (
        f"{interval(test['accuracy'])} of {test['n']:,} images are read right, {wrong:,} wrong; "
        f"{percent(test['refused'])} are refused as no digit, right or wrong, and "
        f"{interval(test['answered_right'])} are answered right. "
        f"The most frequent mistakes: {_confusions(test)}."
    )
    yield image("confusion", confusion_alt(test))


def _wrong(test: Figures) -> int:
    return sum(map(sum, test["confusion"])) - sum(test["confusion"][d][d] for d in range(N_CLASSES))


def _confused(test: Figures) -> list[tuple[int, int, int]]:
    """Return how often each digit is read as another, most often first: (times, label, digit)."""
    pairs = [
        (times, label, digit)
        for label, row in enumerate(test["confusion"])
        for digit, times in enumerate(row)
        if label != digit and times
    ]
    return sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))


def _confusions(test: Figures) -> str:
    found = [f"{a(label)} read as {digit} ({n:,})" for n, label, digit in _confused(test)[:4]]
    return ", ".join(found) or "none"


def confusion_alt(test: Figures) -> str:
    """Say what the confusion matrix shows."""
    return (
        f"Confusion matrix of the {test['n']:,} test images: label down, answer across. "
        f"{_wrong(test):,} lie off the diagonal. The most frequent mistakes: {_confusions(test)}."
    )


def _by_digit(test: Figures) -> Iterator[str]:
    yield "### By digit"
    rows = [
        (
            each["digit"],
            f"{each['n']:,}",
            interval({"value": each["recall"], "low": each["low"], "high": each["high"]}),
            "none" if each["precision"] is None else percent(each["precision"]),
            percent(each["refused"]),
        )
        for each in test["by_digit"]
    ]
    yield table(("digit", "images", "read right (recall)", "precision", "refused"), rows)
    yield "Precision: of the images that are read as this digit, how many are one."


def _calibration(evaluation: Figures) -> Iterator[str]:
    test, pens = evaluation["test"], evaluation["pens"]
    yield "### Calibration"
    yield (
        "How far a probability can be believed: the expected calibration error is "
        f"{_error(test)} on the test set and {_error(pens)} on the {pens['n']:,} synthetic digits, "
        f"of which {interval(pens['accuracy'])} are read right, {percent(pens['refused'])} are "
        f"refused and {interval(pens['answered_right'])} answered right."
    )
    yield image("reliability", reliability_alt(test))


def _error(figures: Figures) -> str:
    chance = points(figures["calibration_error_by_chance"])
    return f"{points(figures['calibration_error'])} (by chance: {chance})"


def reliability_alt(test: Figures) -> str:
    """Say what the reliability diagram shows."""
    last = max(test["bins"], key=lambda each: each["n"])
    return (
        "Accuracy against confidence, beside the diagonal where they are equal. The calibration "
        f"error is {points(test['calibration_error'])}. The fullest bin has {last['n']:,} images, "
        f"with a mean confidence of {percent(last['confidence'])} and "
        f"{percent(last['accuracy'])} right."
    )


def _people(drawings: Figures | None) -> Iterator[str]:
    yield "### People's drawings"
    if not drawings:
        command = "python -m training.evaluate CHECKPOINT --drawings DRAWINGS.jsonl"
        yield not_measured("People's drawings", command)
        return
    yield (
        f"{drawings['n']:,} digits that {drawings['writers']} people drew, redrawn on a canvas of "
        "280 px with pens of several widths. They come from the file that `--drawings` names, "
        "which is not published with the model. Drawings of one hand are alike, so no interval is "
        "given; by writer, the lowest and the highest share say more. A calibration error near the "
        "one by chance tells nothing."
    )
    rows = [
        (
            f"{pen} px",
            f"{percent(each['accuracy']['value'])} ({by_writer(each)})",
            percent(each["answered_right"]["value"]),
            percent(each["refused"]),
            _error(each),
        )
        for pen, each in drawings["pens"].items()
    ]
    yield table(("pen", "read right", "answered right", "refused", "calibration error"), rows)


def _changes(changes: Figures) -> Iterator[str]:
    yield "### The same drawing, changed"
    name, worst = max(changes["changed"].items(), key=lambda each: each[1])
    yield (
        f"The share of answers that differ when each of {changes['n']:,} synthetic drawings, on a "
        "canvas of 280 px with a pen of 16 px, arrives in another way: a change between a digit "
        "and a refusal counts. A reader that ignored what does not matter would have 0 everywhere; "
        f"the most is {percent(worst, 1)}, {name}. What is shifted is drawn smaller too, what is "
        "drawn at another size has a pen in proportion, and what is turned is fitted to the same "
        "size. A positive turn is clockwise."
    )
    rows = [(name, part(share, changes["n"])) for name, share in changes["changed"].items()]
    yield table(("change", "answers that change"), rows)


def _verdict(results: Figures, evaluation: Figures) -> Iterator[str]:
    yield "### The verdict: digit or not"
    refusal = evaluation.get("refusal")
    if not refusal:
        yield (
            "This network does not refuse: it was not shown what is no digit, and reads every ink "
            "as one of the ten."
        )
        return
    test, pens, kinds = evaluation["test"], evaluation["pens"], refusal["kinds"]
    yield (
        f"Ink is refused where the probability that it is no digit is above "
        f"{refusal['threshold']:g}. So are {percent(test['refused'])} of the test set and "
        f"{percent(pens['refused'])} of the synthetic digits, by mistake; and, rightly:"
    )
    rows = [
        (
            kind,
            "of a kind that training draws too" if kind in ALIKE else "drawn by other means",
            f"{each['n']:,}",
            part(each["refused"], each["n"]),
            area(refusal["auroc"][kind]),
        )
        for kind, each in kinds.items()
    ]
    yield table(("no digit", "beside training's", "pictures", "refused", "AUROC"), rows)
    yield (
        "The letters are Hershey's fonts, in print and in script, without those that look like a "
        "digit; scribbles are random walks. Where training shows what is no digit, it shows "
        "letters and scribbles too, drawn by other means, and the other kinds much as here. "
        "Letters and script are many pictures of few glyphs, which are not independent: their true "
        "ranges are wider. AUROC: how often one of them is held for less of a "
        "digit than a test image is."
    )
    yield image("refusal", refusal_alt(evaluation))
    yield "Refused at other thresholds, in %:"
    yield table(
        ("threshold", "MNIST test", "synthetic pens", *kinds),
        [
            (
                f"**{row['threshold']:g}**"
                if row["threshold"] == refusal["threshold"]
                else f"{row['threshold']:g}",
                *(f"{100 * row[key]:.2f}" for key in ("test", "pens")),
                *(f"{100 * row[kind]:.1f}" for kind in kinds),
            )
            for row in refusal["curve"]
        ],
    )


def refusal_alt(evaluation: Figures) -> str:
    """Say what the refusal curve shows."""
    refusal = evaluation["refusal"]
    low, high = refusal["curve"][0], refusal["curve"][-1]
    kinds = ", ".join(f"{k} {percent(e['refused'], 1)}" for k, e in refusal["kinds"].items())
    return (
        "Share refused by threshold: of digits, which should not be, and of what is no digit. At "
        f"{refusal['threshold']:g}, as shipped: MNIST test "
        f"{percent(evaluation['test']['refused'])}, synthetic pens "
        f"{percent(evaluation['pens']['refused'])}; {kinds}. From a threshold of "
        f"{low['threshold']:g} to {high['threshold']:g}, the test set's share falls from "
        f"{percent(low['test'])} to {percent(high['test'])}."
    )


def examined(results: Figures, evaluation: Figures) -> Iterator[str]:
    yield "## Known failures"
    mistakes = evaluation.get("test", {}).get("mistakes")
    if mistakes:
        yield (
            f"The {len(mistakes)} wrong answers on the test set of which it was surest, as the "
            "network saw them, with the label, the answer and its confidence:"
        )
        yield image("mistakes", mistakes_alt(mistakes))
    else:
        yield not_measured("Mistakes") if not evaluation else "It made no mistake on the test set."
    yield "## Model examination"
    sizes = results["recipe"]["hidden_sizes"]
    yield (
        _hidden_text(sizes)
        + " Blue: ink there adds to it; orange: ink there takes away; each picture has a scale of "
        "its own."
    )
    yield image("hidden", hidden_alt(sizes))


def pixels(mistake: Figures) -> bytes:
    """Return a mistake's picture, 28 × 28 bytes.

    Raises:
        ValueError: it is none.
    """
    found = base64.b64decode(mistake["pixels"], validate=True)
    if len(found) != N_PIXELS:
        raise ValueError(f"a picture of {len(found)} bytes")
    return found


def mistakes_alt(mistakes: Sequence[Figures]) -> str:
    """Say which the surest mistakes are."""
    listed = "; ".join(
        f"image {each['index']}, {a(each['label'])} read as {each['digit']} with "
        f"{sure(each['confidence'])}"
        for each in mistakes[:3]
    )
    return f"{len(mistakes)} digits that are read wrong, the surest first: {listed}."


def _hidden_text(sizes: Sequence[int]) -> str:
    if not sizes:
        return (
            "Without a hidden layer, a logit is the sum of ink × weights: each digit has one "
            "template."
        )
    if sizes[0] <= SHOWN_UNITS:
        text = f"The {sizes[0]:,} units of the first hidden layer"
    else:
        text = (
            f"Of the {sizes[0]:,} units of the first hidden layer the {SHOWN_UNITS} that weigh most"
        )
    text += ", each as a picture of its 784 weights"
    return text + (", named after the digit that it speaks for most." if len(sizes) == 1 else ".")


def hidden_alt(sizes: Sequence[int]) -> str:
    """Say what the pictures of weights show."""
    if not sizes:
        return (
            "Ten templates of 28 × 28 weights, one for each digit, 0 to 9: blue where ink speaks "
            "for the digit, orange where it speaks against it."
        )
    which = f"{SHOWN_UNITS} of {sizes[0]:,}" if sizes[0] > SHOWN_UNITS else f"the {sizes[0]:,}"
    return (
        f"The weights of {which} hidden units as pictures of 28 × 28: blue where ink adds to the "
        "unit, orange where it takes away."
    )
