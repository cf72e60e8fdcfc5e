"""The API: what a program calls, through gradio_client or plain HTTP."""

import base64
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import gradio as gr
from gradio.utils import get_upload_folder

from model import DrawingError, PictureError, Reader, Reading
from model.explain import contributions


class Prediction(TypedDict):
    """What /predict answers."""

    verdict: str
    digit: int | None
    confidence: float
    probabilities: list[float] | None
    not_a_digit: float
    model: str


class LayerNumbers(TypedDict):
    """One hidden layer."""

    pre_activations: list[float]
    activations: list[float]


class Explanation(Prediction):
    """What /explain answers: a prediction with the numbers behind it."""

    input: list[list[float]]
    layers: list[LayerNumbers]
    logits: list[float]
    contributions: list[list[float]]
    bias: list[float]
    not_a_digit_logit: float
    not_a_digit_contributions: list[float]
    not_a_digit_bias: float


class ModelInfo(TypedDict):
    """What /models answers of each model."""

    name: str
    hidden_sizes: list[int]
    parameters: int
    val_accuracy: float | None
    test_accuracy: float | None
    revision: str | None


def bind_api(readers: Mapping[str, Reader], *, default: str) -> None:
    """Add the endpoints to the surrounding gr.Blocks."""

    def predict(image: gr.FileData, model: str = default) -> Prediction:
        """Read a picture of a digit, of any size, dark on light or light on dark."""
        reader = _choose(readers, model or default)
        return _prediction(_refusing(lambda: reader.read(picture_file(image))))

    def predict_strokes(strokes: list[list[list[float]]], model: str = default) -> Prediction:
        """Read a drawing: [[[x, y], ...], ...] in any unit, y down, a list per pen-down."""
        reader = _choose(readers, model or default)
        return _prediction(_refusing(lambda: reader.read_strokes(strokes)))

    def explain(image: gr.FileData, model: str = default) -> Explanation:
        """Read a picture, and give every number between its ink and the answer."""
        reader = _choose(readers, model or default)
        return _explanation(reader, _refusing(lambda: reader.read(picture_file(image))))

    def models() -> list[ModelInfo]:
        """List the models that `model` may name, with their measured figures."""
        return [_info(reader) for reader in readers.values()]

    for endpoint in (predict, predict_strokes, explain, models):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)


def _choose(readers: Mapping[str, Reader], model: object) -> Reader:
    if isinstance(model, str) and model in readers:
        return readers[model]
    raise _refusal(f"There is no model of that name; choose from: {', '.join(readers)}.")


def _refusing(read: Callable[[], Reading]) -> Reading:
    """Read, and let the caller know of what the caller can mend."""
    try:
        return read()
    except (PictureError, DrawingError) as error:
        raise _refusal(str(error)) from error


def picture_file(image: Any) -> Path | io.BytesIO:
    """Return the picture of a call: a file uploaded to this server, or a data URL.

    gr.api hands over what the caller sent. A path is taken only from Gradio's upload folder:
    any other would let a caller read the server's pictures.
    """
    if isinstance(image, dict) and isinstance(image.get("path"), str):
        path = Path(image["path"].replace("\0", "")).resolve()
        if path.is_relative_to(Path(get_upload_folder()).resolve()) and path.is_file():
            return path
        raise PictureError("That file was not uploaded here: upload it first, or use handle_file.")
    url = image.get("url") if isinstance(image, dict) else None
    if isinstance(url, str) and url.startswith("data:image/"):
        try:
            return io.BytesIO(base64.b64decode(url.partition(",")[2], validate=True))
        except ValueError as error:  # binascii.Error, and for what is not ASCII its base
            raise PictureError("The data URL is not base64.") from error
    raise PictureError(
        'Send the picture as a file: handle_file("digit.png") in gradio_client, or '
        '{"url": "data:image/png;base64,..."} in JSON.'
    )


def _refusal(message: str) -> gr.Error:
    return gr.Error(message, print_exception=False)


def _prediction(reading: Reading) -> Prediction:
    probabilities = reading.probabilities
    return {
        "verdict": reading.verdict,
        "digit": reading.digit,
        "confidence": reading.confidence,
        "probabilities": None if probabilities is None else probabilities.tolist(),
        "not_a_digit": reading.not_a_digit,
        "model": reading.model,
    }


def _explanation(reader: Reader, reading: Reading) -> Explanation:
    terms = contributions(reader.model, reading)
    return {
        **_prediction(reading),
        "input": reading.input.tolist(),
        "layers": [
            {
                "pre_activations": layer.pre_activations.tolist(),
                "activations": layer.activations.tolist(),
            }
            for layer in reading.layers
        ],
        "logits": reading.logits.tolist(),
        "contributions": terms.contributions.tolist(),
        "bias": terms.bias.tolist(),
        "not_a_digit_logit": reading.not_a_digit_logit,
        "not_a_digit_contributions": terms.not_a_digit.tolist(),
        "not_a_digit_bias": terms.not_a_digit_bias,
    }


def _info(reader: Reader) -> ModelInfo:
    return {
        "name": reader.name,
        "hidden_sizes": list(reader.model.hidden_sizes),
        "parameters": sum(p.numel() for p in reader.model.parameters()),
        "val_accuracy": reader.results.get("val_accuracy"),
        "test_accuracy": reader.results.get("test_accuracy"),
        "revision": reader.revision,
    }
