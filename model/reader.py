"""Read digits: from a picture or strokes to a Reading, with a loaded checkpoint."""

import copy
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch

from model import checkpoint
from model.device import pick_device, to_host
from model.drawing import Drawing, Strokes
from model.limits import LIMITS, Limits
from model.mlp import MLP, Trace
from model.picture import Picture, PictureError
from model.preprocess import Preprocessed, preprocess, preprocess_batch, preprocess_drawing

Verdict = Literal["digit", "not_a_digit", "blank"]


@dataclass(frozen=True, eq=False)
class Layer:
    """The values of one hidden layer of H units, for one picture."""

    pre_activations: np.ndarray  # (H,) float32
    activations: np.ndarray  # (H,) float32: max(0, pre_activations)


@dataclass(frozen=True, eq=False)
class Reading:
    """The result of reading one picture, with all intermediate values."""

    verdict: Verdict
    digit: int | None  # None unless the verdict is "digit"
    confidence: float  # the probability of `digit`; 0 if `digit` is None
    # (10,) float32: calibrated, given that the picture is a digit; None for a blank
    probabilities: np.ndarray | None
    not_a_digit: float  # probability under the softmax of all eleven logits; 1 for a blank
    logits: np.ndarray  # (10,) float32; for a blank, those of an empty input
    not_a_digit_logit: float  # for a blank, that of an empty input
    layers: tuple[Layer, ...]  # the hidden layers, from the first to the last
    preprocessing: Preprocessed  # the network's input, and how it was computed
    model: str  # the checkpoint's name
    drawing: Drawing | None = None  # the parsed strokes; None if a picture was read

    @property
    def input(self) -> np.ndarray:
        """The network's input: (28, 28) float32 in 0..1, with ink 1 and paper 0."""
        return self.preprocessing.image


@dataclass(frozen=True, eq=False)
class Predictions:
    """The results of reading N pictures, without intermediate values."""

    verdicts: np.ndarray  # (N,) str, each a Verdict
    digits: np.ndarray  # (N,) int; -1 unless the verdict is "digit"
    confidences: np.ndarray  # (N,) float32: the probability of the digit; 0 if there is none
    not_a_digit: np.ndarray  # (N,) float32: probability of "not a digit"; 1 for a blank


class Reader:
    """Reads pictures of digits with one network.

    `model` is the network on the device that computes readings. `cpu_model` is the same network on
    the CPU, for explanations and the lesson, which use NumPy. Copying weights from a GPU for each
    drawing would take longer than reading it.
    """

    def __init__(
        self, loaded: checkpoint.Checkpoint, *, device: torch.device, limits: Limits = LIMITS
    ) -> None:
        self.name = loaded.config.name
        self.results = loaded.results
        self.evaluation = loaded.evaluation
        self.card = loaded.card
        self.revision = loaded.revision
        self.temperature = loaded.config.temperature
        self.threshold = loaded.config.threshold
        self.device = device
        self.limits = limits
        self.model = _on_device(loaded.model, device)
        self.cpu_model = _on_device(loaded.model, torch.device("cpu"))

    @classmethod
    def load(
        cls,
        source: str | Path = "mlp-1024",
        *,
        revision: str | None = None,
        device: str = "cpu",
        limits: Limits = LIMITS,
    ) -> Self:
        """Load a shipped model by name, a folder, or the Hub's OWNER/NAME[@REVISION].

        Readings are computed on the CPU unless `device` names another one (see `pick_device`): one
        reading takes 1 to 2 ms, and the network's share of it is 0.2 ms. If the Hub cannot be
        reached, the last known commit of the revision is loaded from the cache, with a
        `model.hub.StaleWarning`.

        Raises:
            DeviceError: this machine has no such device.
            UnreachableError: a CheckpointError: the Hub is unreachable and the cache is empty.
            CheckpointError: there is no such checkpoint, or it is invalid.
        """
        loaded = checkpoint.load(source, revision=revision)
        return cls(loaded, device=pick_device(device), limits=limits)

    def read(self, picture: Picture) -> Reading:
        """Read one picture: a PIL image, a path, bytes, a binary file, an array or a tensor.

        See `model.preprocess.preprocess` for formats, shapes and value ranges.

        Raises:
            PictureError: it is not one picture, or it is too large.
        """
        return self._read([preprocess(picture, max_pixels=self.limits.max_pixels)])[0]

    def read_batch(self, pictures: Iterable[Picture]) -> list[Reading]:
        """Read several pictures in one forward pass. Each may be anything that `read` accepts.

        The first axis of an array or a tensor counts its pictures: (N, 28, 28), (N, 1, 28, 28).

        Raises:
            PictureError: one of them is not a picture, or is too large.
        """
        single = not hasattr(pictures, "__iter__") or isinstance(
            pictures, str | bytes | os.PathLike
        )
        if single or getattr(pictures, "ndim", 3) < 3:
            raise PictureError(
                "read_batch takes several pictures, such as a list: use read for one."
            )
        most = self.limits.max_pixels
        return self._read([preprocess(picture, max_pixels=most) for picture in pictures])

    def read_many(self, images: np.ndarray, *, chunk: int = 1_000) -> Iterator[Predictions]:
        """Read many small pictures fast, and yield the predictions of one chunk after the other.

        `images` is uint8, (N, 28, 28) or (N, 784). The network's inputs are those of `read`, bit
        for bit. Matrix products round differently for several pictures than for one, so a
        probability may differ by 1e-6 from that of `read`, and between sizes of `chunk`, which
        limits the memory.

        Raises:
            PictureError: another dtype or shape.
        """
        for i in range(0, len(images), chunk):
            yield self._predictions(*preprocess_batch(images[i : i + chunk]))

    def read_strokes(self, strokes: Strokes) -> Reading:
        """Read a drawing: `[[[x, y], ...], ...]`, one list per stroke, in any unit, y down.

        Raises:
            DrawingError: they are not valid strokes, or exceed the limits.
        """
        drawing = Drawing.of(strokes, limits=self.limits)
        [reading] = self._read([preprocess_drawing(drawing)])
        return replace(reading, drawing=drawing)

    def read_again(self, reading: Reading) -> Reading:
        """Read the input of another reader's reading, without preprocessing it again."""
        return replace(self._read([reading.preprocessing])[0], drawing=reading.drawing)

    @torch.inference_mode()
    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities, (B, 10) float32, of preprocessed images.

        `images` is (B, 28, 28) float32 in 0..1, with ink 1 and paper 0.
        """
        return self._forward(images)[1]

    @torch.inference_mode()
    def _read(self, prepared: list[Preprocessed]) -> list[Reading]:
        if not prepared:
            return []
        trace, probabilities, not_a_digit = self._forward(np.stack([p.image for p in prepared]))
        layers = [(to_host(h.pre_activations), to_host(h.activations)) for h in trace.hidden]
        logits, not_a_digit_logits = to_host(trace.logits), to_host(trace.not_a_digit)
        readings = []
        for i, each in enumerate(prepared):
            verdict = self._verdict(each.blank, float(not_a_digit[i]))
            digit = int(probabilities[i].argmax()) if verdict == "digit" else None
            readings.append(
                Reading(
                    verdict=verdict,
                    digit=digit,
                    confidence=0.0 if digit is None else float(probabilities[i, digit]),
                    probabilities=None if each.blank else probabilities[i],
                    not_a_digit=1.0 if each.blank else float(not_a_digit[i]),
                    logits=logits[i],
                    not_a_digit_logit=float(not_a_digit_logits[i]),
                    layers=tuple(Layer(pre[i], act[i]) for pre, act in layers),
                    preprocessing=each,
                    model=self.name,
                )
            )
        return readings

    @torch.inference_mode()
    def _predictions(self, images: np.ndarray, blank: np.ndarray) -> Predictions:
        _, probabilities, not_a_digit = self._forward(images)
        pairs = zip(blank.tolist(), not_a_digit.tolist(), strict=True)
        verdicts = np.array([self._verdict(*pair) for pair in pairs])
        is_digit = verdicts == "digit"
        return Predictions(
            verdicts,
            np.where(is_digit, probabilities.argmax(axis=1), -1),
            np.where(is_digit, probabilities.max(axis=1), np.float32(0)),
            np.where(blank, np.float32(1), not_a_digit),
        )

    def _forward(self, images: np.ndarray) -> tuple[Trace, np.ndarray, np.ndarray]:
        """Run the network on images, (B, 28, 28).

        Returns the forward pass on the device, and in host memory the calibrated probabilities of
        the ten digits, (B, 10), and the probability of "not a digit", (B,).
        """
        trace = self.model.trace(torch.from_numpy(images).to(self.device))
        probabilities = (trace.logits / self.temperature).softmax(1)
        return trace, to_host(probabilities), to_host(trace.rejection_log_odds.sigmoid())

    def _verdict(self, blank: bool, not_a_digit: float) -> Verdict:
        if blank:
            return "blank"
        return "not_a_digit" if not_a_digit > self.threshold else "digit"


def _on_device(model: MLP, device: torch.device) -> MLP:
    """Return the model if it is on the device already, otherwise a copy on the device."""
    here = next(model.parameters()).device
    return model if here == device else copy.deepcopy(model).to(device)
