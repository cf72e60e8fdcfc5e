"""Join the processes that torchrun starts to train one network together.

Without torchrun, or with one process, there is no process group, and these functions do nothing.
"""

import gc
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from model.device import DeviceError, pick_device

Value = TypeVar("Value")
TIMEOUT = timedelta(hours=1)  # others wait while a process generates the synthetic images


def rank() -> int:
    """Return the number of this process among all: 0 validates, saves and publishes."""
    return _variable("RANK") if world_size() > 1 else 0


def world_size() -> int:
    """Return the number of processes that train together."""
    return _variable("WORLD_SIZE") if dist.is_torchelastic_launched() else 1


def launcher() -> list[str]:
    """Return the start of the command line that runs as many processes as there are."""
    if world_size() == 1:
        return ["python"]
    n_local = _variable("LOCAL_WORLD_SIZE")
    nodes = ["--nnodes", str(world_size() // n_local)] if n_local < world_size() else []
    return ["torchrun", *nodes, "--nproc-per-node", str(n_local)]


def local_rows() -> slice:
    """Return which rows of every batch are this process's."""
    return slice(rank(), None, world_size())


def pick_local_device(name: str) -> torch.device:
    """Return the device of this process; with several processes and CUDA, each has its own GPU.

    Raises:
        DeviceError: there is no such device, or several processes cannot share it.
    """
    if world_size() == 1:
        return pick_device(name)
    if name == "mps" or name.startswith("cuda:"):
        raise DeviceError(f"Several processes cannot share {name}: use --device cuda or cpu.")
    device = pick_device(name)
    if device.type == "cuda":
        device = pick_device(f"cuda:{_variable('LOCAL_RANK')}")
        torch.cuda.set_device(device)
    return device


@contextmanager
def process_group(device: torch.device) -> Generator[None]:
    """Join the other processes for the duration of a block: NCCL on CUDA, gloo on the CPU."""
    if world_size() == 1:
        yield
        return
    if rank():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # only rank 0 reports Ctrl-C
    if device.type == "cuda":
        dist.init_process_group("nccl", timeout=TIMEOUT, device_id=device)
    else:
        dist.init_process_group("gloo", timeout=TIMEOUT)
    yield
    # After an error, the process ends without the following, which could wait for the others.
    # DDP is part of a reference cycle. If it outlives the group, the group's threads run until the
    # interpreter is finalised, which sometimes aborts the process.
    gc.collect()
    dist.destroy_process_group()


@contextmanager
def local_rank_zero_first() -> Generator[None]:
    """Run a block in the first process of each machine, then in the others.

    The first one downloads and generates the data, the others read its files.
    """
    waits = world_size() > 1 and _variable("LOCAL_RANK") > 0
    if waits:
        dist.barrier()
    yield
    if world_size() > 1 and not waits:
        dist.barrier()


def broadcast(value: Value) -> Value:
    """Return the value of rank 0 in every process."""
    if world_size() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def mean_over_processes(value: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes, computed in place."""
    if world_size() > 1:
        dist.all_reduce(value)
        value /= world_size()
    return value


def _variable(name: str) -> int:
    return int(os.environ[name])  # torchrun sets it
