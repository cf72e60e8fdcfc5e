"""The recipe of a training run, the presets of the shipped networks, and other hyperparameters."""

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The options of a training run. On one machine, a recipe determines the weights.

    The defaults are the tutorial's: one hidden layer of 32 units, batches of 128 images to train
    on and of 256 to validate on, plain SGD with a constant learning rate.
    """

    hidden_sizes: tuple[int, ...] = (32,)
    epochs: int = 5
    batch_size: int = 128
    val_batch_size: int = 256
    optimizer: str = "sgd"  # or "adamw"
    lr: float = 0.5
    weight_decay: float = 0.0
    warmup: float = 0.0  # share of the steps in which the learning rate rises linearly from 0
    cosine_decay: bool = False  # lower the learning rate to 0 along a cosine
    distort: float = 0.0  # share of MNIST's images that are distorted
    synthetic_digits: float = 0.0  # per MNIST image, in each epoch
    written_digits: float = 0.0  # variants of strokes that people wrote, per MNIST image
    outliers: float = 0.0  # drawn pictures that are not digits, per MNIST image
    ema_decay: float = 0.0  # of the weights' exponential moving average, per step; 0: no average
    # Checkpoints, one per batch in turn. The target is the mean of the label and the teacher's
    # probabilities.
    teachers: tuple[str, ...] = ()
    split: str = "random"  # of MNIST; "writers": by writer; "all": no image is validated on
    seed: int = 42

    def as_json(self) -> dict[str, object]:
        """Return the recipe as JSON values."""
        lists = {"hidden_sizes": list(self.hidden_sizes), "teachers": list(self.teachers)}
        return dataclasses.asdict(self) | lists


MEMBERS = tuple(f"checkpoints/member-{seed}" for seed in (1, 2))  # of the ensemble

PRESETS = {
    "logistic": Recipe(
        hidden_sizes=(), epochs=20, optimizer="adamw", lr=2e-3, weight_decay=0.01,
        cosine_decay=True, synthetic_digits=0.25, written_digits=0.25, outliers=0.25, split="all",
    ),
    "mlp-32": Recipe(
        hidden_sizes=(32,), epochs=140, batch_size=256, optimizer="adamw", lr=1.5e-2,
        weight_decay=0.1, warmup=0.05, cosine_decay=True, distort=0.25, synthetic_digits=0.5,
        written_digits=0.5, outliers=0.2, ema_decay=0.999, teachers=("mlp-1024",), split="all",
    ),
    "mlp-1024": Recipe(
        hidden_sizes=(1024,), epochs=130, batch_size=256, optimizer="adamw", lr=2e-3,
        weight_decay=0.05, warmup=0.05, cosine_decay=True, distort=1.0, synthetic_digits=0.3,
        written_digits=0.4, outliers=0.8, ema_decay=0.999, teachers=MEMBERS, split="all",
    ),
    # A member of the ensemble that teaches mlp-1024: python -m training.ensemble
    "member": Recipe(
        hidden_sizes=(1024, 1024), epochs=50, batch_size=256, optimizer="adamw", lr=1e-3,
        weight_decay=0.05, warmup=0.05, cosine_decay=True, distort=1.0, synthetic_digits=0.3,
        written_digits=0.5, outliers=1.0, ema_decay=0.999, split="writers",
    ),
}  # fmt: skip

# Images that are drawn once; an epoch uses a part of them.
POOL = 60_000  # synthetic digits, and variants of written digits
OUTLIER_POOL = 100_000
VAL_POOL = 5_000
TEACHER_TEMPERATURE = 1.5
LABEL_WEIGHT = 0.5  # of the label in the target, if there is a teacher

# The bias of the "not a digit" logit is calibrated so that at most these shares are rejected.
MAX_REJECTED = 0.004  # of MNIST's validation digits
# Of digits by unseen writers, with split="all". It is low because digits by writers of other
# collections are rejected about twice as often.
MAX_REJECTED_UNSEEN = 0.0025
MAX_REJECTED_SYNTHETIC = 0.015  # of each other set of validation digits
