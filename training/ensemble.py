"""Train one network per seed, and show their figures in one table: python -m training.ensemble

By default, these are the members of the ensemble that teaches mlp-1024. Each network is saved to
checkpoints/PRESET-SEED. A finished network is not trained again and an interrupted one is
continued, so the same command resumes after an interruption. All options of python -m training
that are not listed here may be added.
"""

import argparse
import importlib
import statistics
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from joblib import Parallel, delayed, parallel_config

from model.checkpoint import CARD_FILE, EVALUATION_FILE, RESULTS_FILE
from model.checkpoint_files import read_figures
from training.__main__ import parse
from training.recipe import MEMBERS, PRESETS
from training.state import is_trained

SEEDS = [int(member.rpartition("-")[2]) for member in MEMBERS]
BACKENDS = ("loky", "dask", "ray")  # joblib's, with processes
INTERRUPTED = 130  # exit status, as of a shell
HEADINGS = (
    "seed", "validation accuracy in %", "test accuracy in %", "95 % interval, ±",
    "test digits rejected in %", "training time in s",
)  # fmt: skip


class BackendError(Exception):
    """The package of a backend is not installed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser()
    options, others = parser.parse_known_args(arguments)
    folders = {seed: Path("checkpoints", f"{options.preset}-{seed}") for seed in options.seeds}
    commands = {
        folder: ["--preset", options.preset, "--seed", str(seed), "--out", str(folder), *others]
        for seed, folder in folders.items()
    }
    for folder, command in commands.items():
        set_here = parse(command)[0]
        if Path(set_here.out) != folder or str(set_here.seed) != command[3]:
            parser.error("--out and --seed are set for each network: use --preset and --seeds")
        if set_here.push or set_here.dry_run or set_here.data_only:
            parser.error("--push, --dry-run and --data-only are options of one training")
    waiting = []
    for folder, command in commands.items():
        if _is_finished(folder, command):
            print(f"{folder} is already trained", file=sys.stderr)
        else:
            waiting.append([*command, "--resume"])
    try:
        status = _train_all(waiting, n_jobs=options.jobs, backend=options.backend)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BackendError as error:
        parser.error(str(error))
    finished = {
        seed: folder for seed, folder in folders.items() if _is_finished(folder, commands[folder])
    }
    print(_table(finished))
    for seed in folders.keys() - finished.keys():
        print(f"{folders[seed]} is not finished: the same command continues it", file=sys.stderr)
    return status


def _train_all(commands: Sequence[list[str]], *, n_jobs: int, backend: str) -> int:
    """Train networks, each in a job; return 0, or the status of one that failed."""
    if n_jobs == 1 and backend == "loky":
        return max(_statuses(commands), default=0)
    # The jobs share these files. Generating them uses all cores.
    if commands and (status := run_training([*commands[0], "--data-only"], Path.cwd())):
        return status
    # With loky, joblib divides the cores among the jobs.
    jobs = (delayed(_train_one)(command, Path.cwd()) for command in commands)
    with _cluster(backend), parallel_config(backend=backend, n_jobs=n_jobs):
        return max(Parallel()(jobs), default=0)


def _statuses(commands: Sequence[list[str]]) -> Iterator[int]:
    """Train networks one after the other, until one is interrupted; yield their statuses."""
    for command in commands:
        status = _train_one(command, Path.cwd())
        yield status
        if status == INTERRUPTED:
            return


def _train_one(command: list[str], folder: Path) -> int:
    """Train one network in a folder; return the exit status."""
    status = run_training(command, folder)
    options, recipe, _ = parse(command)
    # After Ctrl-C, a training may have kept an earlier epoch.
    return status if status or is_trained(folder / options.out, recipe) else INTERRUPTED


def run_training(command: list[str], folder: Path) -> int:
    """Run python -m training in a process of its own; return its exit status, 1 if it was killed.

    The workers of joblib's backends cannot start the processes that draw synthetic images.
    """
    # The table alone is for stdout.
    process = subprocess.run([sys.executable, "-m", "training", *command], cwd=folder, stdout=2)
    return process.returncode if process.returncode >= 0 else 1


@contextmanager
def _cluster(backend: str) -> Generator[None]:
    """Connect to the Dask or Ray cluster; requirements-training.txt has neither package.

    Raises:
        BackendError: the package is not installed.
    """
    connection = nullcontext()
    try:
        if backend == "dask":
            connection = importlib.import_module("dask.distributed").Client()
        elif backend == "ray":
            importlib.import_module("ray.util.joblib").register_ray()
    except ImportError as error:
        raise BackendError(f"--backend {backend} needs a package: {error}") from error
    with connection:
        yield


def _is_finished(folder: Path, command: list[str]) -> bool:
    return is_trained(folder, parse(command)[1]) and (folder / CARD_FILE).is_file()


def _table(folders: dict[int, Path]) -> str:
    """Return the figures of finished networks as a Markdown table, with mean and deviation."""
    figures = [_figures(folder) for folder in folders.values()]
    rows = [
        [str(seed), *(f"{figure:,.2f}" for figure in row)]
        for seed, row in zip(folders, figures, strict=True)
    ]
    if len(rows) > 1:
        columns = list(zip(*figures, strict=True))
        means = (f"{statistics.mean(each):,.2f} ± {statistics.stdev(each):.2f}" for each in columns)
        rows.append(["mean ± standard deviation", *means])
    return "\n".join(f"| {' | '.join(row)} |" for row in [HEADINGS, ["---"] * len(HEADINGS), *rows])


def _figures(folder: Path) -> tuple[float, ...]:
    """Return the figures of one network: percent, and the seconds of its training."""
    results = read_figures(folder / RESULTS_FILE)
    test = read_figures(folder / EVALUATION_FILE)["test"]
    accuracy = test["accuracy"]
    error = (accuracy["high"] - accuracy["low"]) / 2
    shares = (results["val_accuracy"], accuracy["value"], error, test["refused"])
    return (*(100 * share for share in shares), results["seconds"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.ensemble", description=__doc__, allow_abbrev=False
    )
    add = parser.add_argument
    add("--preset", choices=PRESETS, default="member", help="the recipe to start from (member)")
    add("--seeds", type=int, nargs="+", default=SEEDS, metavar="N", help="one network each (1 2)")
    add("--jobs", type=int, default=1, metavar="N", help="networks that train at a time (1)")
    add("--backend", choices=BACKENDS, default="loky",
        help="of joblib: loky (this machine), dask (DASK_SCHEDULER_ADDRESS) or ray")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
