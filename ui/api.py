"""The API endpoints, for gradio_client and plain HTTP."""

import base64
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from inspect import signature
from pathlib import Path
from types import FunctionType
from typing import Any, TypedDict

import gradio as gr
from gradio.components.api_component import Api
from gradio.context import get_blocks_context
from gradio.utils import get_upload_folder

from model import DrawingError, PictureError, Reader, Reading
from model.batch import ArrayBatch, ZipBatch, open_batch, short
from model.drawing import Strokes
from model.explain import contributions, stroke_contributions, template
from model.reader import Verdict
from ui.message import RemovedRegion, removed

PROGRESS_STEP = 250  # pictures of an array between two reports of progress
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# The characters that encodeURIComponent escapes. (urllib's unquote takes 24 s for 6 MB of "%".)
_ESCAPES = {
    b"%2B": b"+", b"%2b": b"+", b"%2F": b"/", b"%2f": b"/", b"%3D": b"=", b"%3d": b"=",
    b"%0A": b"", b"%0a": b"", b"%0D": b"", b"%0d": b"", b"%20": b"",
}  # fmt: skip
Observe = Callable[[str, str, Mapping[str, int], float], None]


class Prediction(TypedDict):
    """The result of /predict."""

    verdict: Verdict
    digit: int | None
    confidence: float
    probabilities: list[float] | None
    not_a_digit: float
    model: str


class LayerNumbers(TypedDict):
    """The values of one hidden layer."""

    pre_activations: list[float]
    activations: list[float]


class Explanation(Prediction):
    """The result of /explain: a prediction with all intermediate values."""

    input: list[list[float]]
    removed: list[RemovedRegion]
    layers: list[LayerNumbers]
    logits: list[float]
    contributions: list[list[float]]
    bias: list[float]
    not_a_digit_logit: float
    not_a_digit_contributions: list[float]
    not_a_digit_bias: float


class StrokeExplanation(Explanation):
    """The result of /explain_strokes: an explanation with what each stroke adds to each logit."""

    strokes: list[list[float]]
    strokes_bias: list[float]
    not_a_digit_strokes: list[float]
    not_a_digit_strokes_bias: float


class BatchPrediction(TypedDict):
    """The result of /predict_batch: lists in the order of the pictures."""

    digits: list[int | None]
    confidences: list[float]
    verdicts: list[Verdict]
    names: list[str] | None
    model: str


class ModelInfo(TypedDict):
    """The result of /models for one model."""

    name: str
    hidden_sizes: list[int]
    parameters: int
    val_accuracy: float | None
    test_accuracy: float | None
    temperature: float
    threshold: float
    revision: str | None


def no_metrics(endpoint: str, model: str, verdicts: Mapping[str, int], seconds: float) -> None:
    """Do nothing; the default for `observe`."""


def bind_api(
    readers: Mapping[str, Reader],
    *,
    default: str,
    observe: Observe,
    seconds: float,
    running: int,
) -> None:
    """Add the endpoints to the surrounding gr.Blocks.

    `observe` receives the endpoint, the model, the number of each verdict, and the duration in
    seconds. A batch that takes more than `seconds` is stopped. At most `running` calls from
    Gradio's queue run at a time.
    """

    def answer(
        endpoint: str,
        model: object,
        read: Callable[[Reader], Reading],
        tell: Callable[[Reader, Reading], Any],
    ) -> Any:
        """Read the input and return the result; report errors that the caller can correct."""
        reader = _choose(readers, model or default)
        started = time.perf_counter()
        try:
            reading = read(reader)
        except (PictureError, DrawingError) as error:
            observe(endpoint, reader.name, {"refused": 1}, time.perf_counter() - started)
            raise _rejection(str(error)) from error
        told = tell(reader, reading)
        observe(endpoint, reader.name, {reading.verdict: 1}, time.perf_counter() - started)
        return told

    def predict(image: gr.FileData, model: str = default) -> Prediction:
        """Read a picture of a digit, of any size, dark on light or light on dark."""
        return answer("predict", model, lambda r: r.read(picture_file(image)), _prediction)

    def predict_strokes(strokes: list[list[list[float]]], model: str = default) -> Prediction:
        """Read a drawing: [[[x, y], ...], ...], one list per stroke, in any unit, y down."""
        return answer("predict_strokes", model, lambda r: r.read_strokes(strokes), _prediction)

    def explain(image: gr.FileData, model: str = default) -> Explanation:
        """Read a picture, and return every number between its ink and the answer."""
        return answer("explain", model, lambda r: r.read(picture_file(image)), _explanation)

    def explain_strokes(
        strokes: list[list[list[float]]], model: str = default
    ) -> StrokeExplanation:
        """Read a drawing; return every number, and what each stroke adds to each logit."""
        return answer(
            "explain_strokes",
            model,
            lambda r: r.read_strokes(strokes),
            lambda reader, reading: _stroke_explanation(reader, reading, strokes),
        )

    def predict_batch(file: gr.FileData, model: str = default) -> BatchPrediction:
        """Read many pictures: .npy or .npz of uint8, (N, 28, 28) or (N, 784), or .zip of files."""
        reader = _choose(readers, model or default)
        started = time.perf_counter()
        try:
            batch = open_batch(uploaded_file(file), limits=reader.limits)
            told = _read_batch(reader, batch, deadline=time.monotonic() + seconds)
        except PictureError as error:
            observe("predict_batch", reader.name, {"refused": 1}, time.perf_counter() - started)
            raise _rejection(str(error)) from error
        taken = time.perf_counter() - started
        observe("predict_batch", reader.name, Counter(told["verdicts"]), taken)
        return told

    def models() -> list[ModelInfo]:
        """List the available models with their measured figures."""
        return [_info(reader) for reader in readers.values()]

    for endpoint in (predict, predict_strokes, explain, explain_strokes, models):
        bind(endpoint, running=running)
    gr.api(predict_batch, api_name="predict_batch", concurrency_limit=1)
    _describe(readers)


def bind(endpoint: FunctionType, *, running: int) -> None:
    """Add an endpoint under its function's name. All of them share `running` slots of the queue."""
    name = endpoint.__name__
    gr.api(endpoint, api_name=name, concurrency_limit=running, concurrency_id="reading")


def _describe(readers: Mapping[str, Reader]) -> None:
    """Describe each argument in the API documentation; gr.api has no labels for them."""
    labels = {
        "image": "a picture of a digit: a file, or a data URL in base64 as `url`",
        "strokes": "a drawing: a list of points [x, y] for each time the pen was down, y down",
        "file": "pictures: .npy or .npz of uint8, (N, 28, 28) or (N, 784), or .zip",
        "model": f"one of {', '.join(readers)}",
    }
    blocks = get_blocks_context()
    assert blocks
    for function in blocks.fns.values():
        names = [*signature(function.fn).parameters, "answer"] if function.fn else []
        components = [*function.inputs, *function.outputs]
        for name, component in zip(names, components, strict=True):
            assert isinstance(component, Api)
            component.label = labels.get(name, name)


def _choose(readers: Mapping[str, Reader], model: object) -> Reader:
    if isinstance(model, str) and model in readers:
        return readers[model]
    raise _rejection(f"There is no model of that name; choose from: {', '.join(readers)}.")


def picture_file(image: Any) -> Path | bytes:
    """Return the picture of a call: an uploaded file, or the bytes of a data URL.

    Raises:
        PictureError: it is neither.
    """
    url = image.get("url") if isinstance(image, dict) else None
    if isinstance(url, str) and url[:5].lower() == "data:":
        return _from_data_url(url)
    if isinstance(image, dict) and isinstance(image.get("path"), str):
        return uploaded_file(image)
    raise PictureError(
        'Send the picture as a file: handle_file("digit.png") in gradio_client, or '
        '{"url": "data:image/png;base64,..."} in JSON.'
    )


def _from_data_url(url: str) -> bytes:
    """Decode a data URL in base64, of any media type, in linear time.

    Line breaks and spaces, missing padding, the URL-safe alphabet and percent-encoded characters
    are accepted, as common tools produce them.

    Raises:
        PictureError: it is not base64.
    """
    head, _, body = url.partition(",")
    try:
        if head.lower().rpartition(";")[2].strip() != "base64":
            raise ValueError("not in base64")
        data = body.encode("ascii")
        for escape, byte in _ESCAPES.items() if b"%" in data else ():
            data = data.replace(escape, byte)
        data = data.translate(_URL_SAFE, b" \t\r\n\f\v").rstrip(b"=")
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except ValueError as error:  # binascii.Error and UnicodeEncodeError are ValueErrors
        raise PictureError(
            "The data URL is not base64: send data:image/png;base64, followed by the bytes of the "
            "file in base64."
        ) from error


def uploaded_file(file: Any) -> Path:
    """Return the path of an uploaded file.

    gr.api passes on what the caller sent. Only paths in Gradio's upload folder are accepted, as any
    other path would let a caller read the server's files.

    Raises:
        PictureError: it is not an uploaded file.
    """
    if not isinstance(file, dict) or not isinstance(file.get("path"), str):
        raise PictureError("Send a file: handle_file(...) in gradio_client, or upload it first.")
    if file["path"].startswith(("http:", "https:")):
        raise PictureError("URLs are not fetched: download the file, and upload it.")
    path = Path(file["path"].replace("\0", "")).resolve()
    if path.is_relative_to(Path(get_upload_folder()).resolve()) and path.is_file():
        return path
    raise PictureError(
        "That file was not uploaded, or was deleted since: upload it first, or use handle_file."
    )


def _rejection(message: str) -> gr.Error:
    return gr.Error(message, print_exception=False)


def _prediction(reader: Reader, reading: Reading) -> Prediction:
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
    terms = contributions(reader.cpu_model, reading)
    return {
        **_prediction(reader, reading),
        "input": reading.input.tolist(),
        "removed": removed(reading),
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


def _stroke_explanation(reader: Reader, reading: Reading, strokes: Strokes) -> StrokeExplanation:
    whole = template(reader.cpu_model, reading)
    *digits, outlier = stroke_contributions(whole, reading, strokes).tolist()
    *bias, outlier_bias = whole.bias.tolist()
    return {
        **_explanation(reader, reading),
        "strokes": digits,
        "strokes_bias": bias,
        "not_a_digit_strokes": outlier,
        "not_a_digit_strokes_bias": outlier_bias,
    }


def _read_batch(
    reader: Reader, batch: ArrayBatch | ZipBatch, *, deadline: float
) -> BatchPrediction:
    """Read a batch in parts, and report the progress.

    Raises:
        PictureError: a picture cannot be read, or the time is up.
    """
    told: BatchPrediction = {
        "digits": [],
        "confidences": [],
        "verdicts": [],
        "names": batch.names,
        "model": reader.name,
    }
    progress = gr.Progress()
    for verdicts, digits, confidences in _parts(reader, batch):
        told["verdicts"] += verdicts
        told["digits"] += digits
        told["confidences"] += confidences
        done = len(told["verdicts"])
        if done < len(batch) and time.monotonic() > deadline:
            raise PictureError(f"Time is up after {done:,} of {len(batch):,} pictures: send fewer.")
        progress((done, len(batch)), unit="pictures")
    return told


def _parts(
    reader: Reader, batch: ArrayBatch | ZipBatch
) -> Iterator[tuple[list[Verdict], list[int | None], list[float]]]:
    """Read a batch; yield the verdicts, digits and confidences of each part."""
    if isinstance(batch, ArrayBatch):
        for answers in reader.read_many(batch.images, chunk=PROGRESS_STEP):
            digits = [None if digit < 0 else digit for digit in answers.digits.tolist()]
            yield answers.verdicts.tolist(), digits, answers.confidences.tolist()
        return
    for name, file in batch:
        try:
            reading = reader.read(file)
        except PictureError as error:
            raise PictureError(f"{short(name)} in the .zip: {error}") from error
        yield [reading.verdict], [reading.digit], [reading.confidence]


def _info(reader: Reader) -> ModelInfo:
    return {
        "name": reader.name,
        "hidden_sizes": list(reader.model.hidden_sizes),
        "parameters": reader.model.n_parameters,
        "val_accuracy": _share(reader.results, "val_accuracy"),
        "test_accuracy": _share(reader.evaluation, "test", "accuracy", "value"),
        "temperature": reader.temperature,
        "threshold": reader.threshold,
        "revision": reader.revision,
    }


def _share(figures: Mapping[str, Any], *path: str) -> float | None:
    """Return a number in 0..1 from a checkpoint's untrusted figures, or None."""
    value: Any = figures
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None  # NaN compares false
