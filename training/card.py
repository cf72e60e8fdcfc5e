"""The model card, from measured figures alone."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

_BODY = """
# {name}

A feed-forward ReLU network that reads handwritten digits: {architecture}, {parameters:,}
parameters, trained on MNIST.

## Figures

| measured on | accuracy |
|---|---|
| MNIST test set, 10,000 images, read once | {test_accuracy:.2%} |
| MNIST validation, 10,000 of the 60,000 training images | {val_accuracy:.2%} |
{drawn}
Its probabilities are calibrated: on the test set the expected calibration error (15 bins) is
{test_calibration_error:.2%}. {refusal} The epoch was chosen on validation data.
`python -m training.evaluate` measures the test figures again.

## Training

{command}

50,000 images{extra}, {epochs} epochs, the best was epoch {best_epoch};
{seconds:.0f} s on {device} with torch {torch}; seed {seed}. The same
command gives the same weights on the same machine.

## Use

```python
from model import Reader

reading = Reader.load("{where}").read("digit.png")
print(reading.digit, reading.confidence)
```

The input is 784 pixels framed as MNIST's makers did; `model/preprocess.py` brings any picture
there.

## Limits

It reads one digit at a time. {limits}
"""
_DRAWN = "| synthetic digits with pens of many widths, 5,000 that training did not use | {:.2%} |\n"
_REFUSAL = (
    "It says of {test_refused:.2%} of the test set that this is not a digit, and of "
    "{outliers_refused:.1%} of 5,000 synthetic letters, signs and scribbles."
)
_LIMITS = (
    "Letters that look like a digit (O, l, S, Z, b, q) are read as that digit. What is not a digit "
    "was learned from synthetic letters, signs and scribbles: other ink may pass as a digit."
)
_NO_REFUSAL_LIMITS = "It does not know what is not a digit: every ink is read as one of the ten."


def write_card(results: Mapping[str, Any], *, where: str) -> str:
    """Return README.md for a checkpoint with these results, to be loaded from `where`."""
    sizes = (784, *results["recipe"]["hidden_sizes"], 10)
    data = ModelCardData(
        language="en",
        license="apache-2.0",
        pipeline_tag="image-classification",
        tags=["mnist", "handwritten-digits", "feed-forward", "relu", "pytorch"],
        datasets=["ylecun/mnist"],
        metrics=["accuracy"],
        model_name=results["name"],
        eval_results=[
            EvalResult(
                task_type="image-classification",
                dataset_type="ylecun/mnist",
                dataset_name="MNIST",
                dataset_split="test",
                metric_type="accuracy",
                metric_value=results["test_accuracy"],
            )
        ],
    )
    recipe = results["recipe"]
    refusal, limits, extra = "", _NO_REFUSAL_LIMITS, ""
    if recipe["outliers"]:
        refusal, limits = _REFUSAL.format(**results), _LIMITS
    if recipe["pens"] or recipe["outliers"]:
        extra = (
            f" of MNIST, and to each of them {recipe['pens']:g} synthetic digits and "
            f"{recipe['outliers']:g} pictures of no digit"
        )
    if recipe["teacher"]:
        extra += f", taught by {recipe['teacher']}"
    body = _BODY.format(
        drawn=_DRAWN.format(results["pens_accuracy"]) if recipe["pens"] else "",
        refusal=refusal,
        limits=limits,
        extra=extra,
        test_calibration_error=results["test_calibration_error"],
        **{k: results[k] for k in ("name", "parameters", "test_accuracy", "val_accuracy", "seed")},
        **{k: results[k] for k in ("best_epoch", "seconds", "device")},
        architecture=" → ".join(map(str, sizes)),
        command=f"    {results['command']}",
        epochs=len(results["history"]),
        torch=results["versions"]["torch"],
        where=where,
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n{body}"))
