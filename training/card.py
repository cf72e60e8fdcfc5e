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

The epoch was chosen by the validation accuracy. `python -m training.evaluate` measures the test
figure again.

## Training

{command}

50,000 images, {epochs} epochs, the best was epoch {best_epoch}; {seconds:.0f} s on {device} with
torch {torch}; seed {seed}. The same command gives the same weights on the same machine.

## Use

```python
from model import Reader

reading = Reader.load("{where}").read("digit.png")
print(reading.digit, reading.confidence)
```

The input is 784 pixels framed as MNIST's makers did; `model/preprocess.py` brings any picture
there.

## Limits

It reads one digit at a time. It does not yet know what is not a digit: every ink is read as one of
the ten. MNIST's writers were American: a 1 with a long upstroke and a 9 with a hooked base are
read worse than the figure above says.
"""


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
    body = _BODY.format(
        **{k: results[k] for k in ("name", "parameters", "test_accuracy", "val_accuracy", "seed")},
        **{k: results[k] for k in ("best_epoch", "seconds", "device")},
        architecture=" → ".join(map(str, sizes)),
        command=f"    {results['command']}",
        epochs=len(results["history"]),
        torch=results["versions"]["torch"],
        where=where,
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n{body}"))
