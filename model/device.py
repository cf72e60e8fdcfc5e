"""Choose the device that a network runs on, and copy results from it to the host."""

import os

import numpy as np
import torch
from torch import Tensor


class DeviceError(ValueError):
    """This machine has no such device, or the name is not supported."""


def pick_device(name: str) -> torch.device:
    """Return the device of a name: `auto`, `cpu`, `cuda`, `cuda:1` (any index) or `mps`.

    `auto` is CUDA if available, otherwise the CPU. On Hugging Face's ZeroGPU it is the CPU: torch
    reports CUDA there, but it works only inside functions that use up the visitor's GPU quota.

    Raises:
        DeviceError: this machine has no such device, or the name is not supported.
    """
    if name == "auto":
        use_cuda = torch.cuda.is_available() and not on_zero_gpu()
        return torch.device("cuda" if use_cuda else "cpu")
    here = available_devices()
    if name == "cuda" and "cuda:0" in here:
        return torch.device(name)
    if name not in here:
        raise DeviceError(f"There is no device {name!r} here: use auto, {' or '.join(here)}.")
    return torch.device(name)


def available_devices() -> list[str]:
    """Return the names of this machine's devices, such as `["cpu", "cuda:0", "cuda:1"]`."""
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ["cpu", *cuda, *mps]


def to_host(tensor: Tensor) -> np.ndarray:
    """Return a tensor of any device as a NumPy array; a CPU tensor shares its memory.

    Every result of a Reader's network leaves its device here and nowhere else, so that tests can
    run the rest of a reading on torch's `meta` device, from which nothing can be copied.
    """
    return tensor.numpy(force=True)


def on_zero_gpu() -> bool:
    """Return whether this is a Hugging Face Space on ZeroGPU, by the `spaces` package's rule."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
