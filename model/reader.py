"""Read digits: a checkpoint, and everything between a picture and its answer."""

import copy
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch

from model import checkpoint
from model.device import pick_device, to_host
from model.drawing import Strokes, draw
from model.limits import LIMITS, Limits
from model.mlp import MLP, Trace
from model.picture import Picture, PictureError
from model.preprocess import Preprocessed, preprocess, preprocess_batch

Verdict = Literal["digit", "not_a_digit", "blank"]


@dataclass(frozen=True, eq=False)
class Layer:
    """One hidden layer of H units, for one picture."""

    pre_activations: np.ndarray  # (H,) float32
    activations: np.ndarray  # (H,) float32: max(0, pre_activations)


@dataclass(frozen=True, eq=False)
class Reading:
    """What a network made of one picture, and every number on the way."""

    verdict: Verdict
    digit: int | None  # None unless the verdict is "digit"
    confidence: float  # the probability of `digit`; 0 where there is none
    probabilities: (
        np.ndarray | None
    )  # (10,) float32, calibrated, given that it is a digit; None on a blank
    not_a_digit: float  # probability, its softmax among all eleven logits; 1 on a blank
    logits: np.ndarray  # (10,) float32; on a blank, what an empty input gives
    not_a_digit_logit: float  # on a blank, what an empty input gives
    layers: tuple[Layer, ...]  # the hidden layers, first to last
    preprocessing: Preprocessed  # what was done to the picture
    model: str  # the checkpoint's name

    @property
    def input(self) -> np.ndarray:
        """The picture as the network saw it: (28, 28) float32 in 0..1, ink 1 on paper 0."""
        return self.preprocessing.image


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network made of N pictures, in short."""

    verdicts: np.ndarray  # (N,) str, each a Verdict
    digits: np.ndarray  # (N,) int; -1 unless the verdict is "digit"
    confidences: np.ndarray  # (N,) float32: the probability of the digit; 0 where there is none
    not_a_digit: np.ndarray  # (N,) float32: its probability; 1 on a blank


class Reader:
    """A network, ready to read pictures of digits.

    `model` is the network on the device that readings are computed on. `cpu_model` is the same
    network on the CPU, for explanations and for the lesson, which work in NumPy: on a GPU, copying
    the weights for each drawing would take longer than reading it.
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
            DeviceError: the device does not exist on this machine.
            UnreachableError: a CheckpointError, of a Hub out of reach and nothing in the cache.
            CheckpointError: it is not there, or not strictly what it must be.
        """
        loaded = checkpoint.load(source, revision=revision)
        return cls(loaded, device=pick_device(device), limits=limits)

    def read(self, picture: Picture) -> Reading:
        """Read one picture: a PIL image, a path, bytes, a binary file, an array or a tensor.

        See `model.preprocess.preprocess` for formats, shapes and value ranges.

        Raises:
            PictureError: it is not one picture, or too large; the message says what is accepted.
        """
        return self._read([preprocess(picture, max_pixels=self.limits.max_pixels)])[0]

    def read_batch(self, pictures: Iterable[Picture]) -> list[Reading]:
        """Read many pictures in one forward pass, each as `read` takes them.

        An array or a tensor is as many pictures as its first axis has: (N, 28, 28), (N, 1, 28, 28).

        Raises:
            PictureError: one is not a picture, or too large.
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

    def read_many(self, images: np.ndarray, *, chunk: int = 1_000) -> Iterator[Answers]:
        """Read many small pictures fast, and yield the answers of each chunk as it is done.

        `images` is uint8, (N, 28, 28) or (N, 784). The network sees of each picture what `read`
        would show it, bit for bit. Matrix products round otherwise for many pictures than for one,
        so a probability may be off by 1e-6 from what `read` says; the size of a chunk, which
        bounds the memory, moves it as little.

        Raises:
            PictureError: not such an array.
        """
        for i in range(0, len(images), chunk):
            yield self._answers(*preprocess_batch(images[i : i + chunk]))

    def read_strokes(self, strokes: Strokes) -> Reading:
        """Read a drawing: `[[[x, y], ...], ...]` in any unit, y down, a list per pen-down.

        Raises:
            DrawingError: these are not strokes.
        """
        return self.read(draw(strokes, limits=self.limits))

    @torch.inference_mode()
    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities, (B, 10) float32, of preprocessed images.

        `images` is (B, 28, 28) float32 in 0..1, ink 1 on paper 0: what the network sees.
        """
        return self._forward(images)[1]

    @torch.inference_mode()
    def _read(self, prepared: list[Preprocessed]) -> list[Reading]:
        if not prepared:
            return []
        traced, probabilities, doubts = self._forward(np.stack([p.image for p in prepared]))
        layers = [(to_host(h.pre_activations), to_host(h.activations)) for h in traced.hidden]
        not_a_digit = to_host(traced.not_a_digit).tolist()
        scores = zip(to_host(traced.logits), not_a_digit, strict=True)
        return [
            self._reading(
                p, tuple(Layer(pre[i], act[i]) for pre, act in layers), s, probabilities[i], doubt
            )
            for i, (p, s, doubt) in enumerate(zip(prepared, scores, doubts.tolist(), strict=True))
        ]

    @torch.inference_mode()
    def _answers(self, images: np.ndarray, blank: np.ndarray) -> Answers:
        _, probabilities, doubts = self._forward(images)
        pairs = zip(blank.tolist(), doubts.tolist(), strict=True)
        verdicts = np.array([self._verdict(*pair) for pair in pairs])
        read = verdicts == "digit"
        return Answers(
            verdicts,
            np.where(read, probabilities.argmax(axis=1), -1),
            np.where(read, probabilities.max(axis=1), np.float32(0)),
            np.where(blank, np.float32(1), doubts),
        )

    def _forward(self, images: np.ndarray) -> tuple[Trace, np.ndarray, np.ndarray]:
        """Run the network on images, (B, 28, 28).

        Returns the forward pass on the device, and on the host the calibrated probabilities of the
        ten digits, (B, 10), and the probability of "not a digit", (B,).
        """
        traced = self.model.trace(torch.from_numpy(images).to(self.device))
        probabilities = (traced.logits / self.temperature).softmax(1)
        return traced, to_host(probabilities), to_host(traced.doubt.sigmoid())

    def _verdict(self, blank: bool, doubt: float) -> Verdict:
        if blank:
            return "blank"
        return "not_a_digit" if doubt > self.threshold else "digit"

    def _reading(
        self,
        prepared: Preprocessed,
        layers: tuple[Layer, ...],
        scores: tuple[np.ndarray, float],
        probabilities: np.ndarray,
        doubt: float,
    ) -> Reading:
        rest = (*scores, layers, prepared, self.name)
        verdict = self._verdict(prepared.blank, doubt)
        if verdict == "blank":
            return Reading(verdict, None, 0.0, None, 1.0, *rest)
        if verdict == "not_a_digit":
            return Reading(verdict, None, 0.0, probabilities, doubt, *rest)
        digit = int(probabilities.argmax())
        return Reading(verdict, digit, float(probabilities[digit]), probabilities, doubt, *rest)


def _on_device(model: MLP, device: torch.device) -> MLP:
    """Return the model itself if it is on the device, otherwise a copy that is."""
    here = next(model.parameters()).device
    return model if here == device else copy.deepcopy(model).to(device)
