"""Train a network on MNIST, evaluate it, and push it on request: python -m training"""

import argparse
import dataclasses
import json
import math
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from model import checkpoint
from model.mlp import MLP
from training import card, evaluate
from training.calibration import calibrate
from training.data import SPLITS, DataError, Split, SyntheticData, load_train_val
from training.distributed import (
    broadcast,
    launcher,
    local_rank_zero_first,
    pick_local_device,
    process_group,
    rank,
    world_size,
)
from training.evaluation_data import prepare_evaluation_data
from training.loop import TrainingResult, train
from training.publish import push
from training.recipe import MEMBERS, OUTLIER_POOL, POOL, PRESETS, VAL_POOL, Recipe
from training.state import SAVE_SECONDS, STATE_FILE, delete_state, is_trained
from training.synthetic.digits import (
    load_digits,
    load_unseen_written_digits,
    load_written_digits,
)
from training.synthetic.outliers import load_outliers
from training.upload import PublishError, check_login, configure_client


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options, recipe, name = parse(arguments)
    command = shlex.join([*launcher(), "-m", "training", *arguments])
    out = Path(options.out or Path("checkpoints") / name)
    if options.dry_run:
        print(json.dumps({"out": str(out), "push": options.push, "recipe": recipe.as_json()}))
        return 0
    try:
        if options.push and not rank():
            configure_client()
            check_login(options.push)
        if options.data_only:
            cpu = torch.device("cpu")
            with process_group(cpu):
                _load_data(recipe, options, device=cpu)
        else:
            _run(recipe, name=name, out=out, options=options, command=command)
    except (checkpoint.CheckpointError, DataError, PublishError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stopped:
        saved = (out / STATE_FILE).is_file()
        left = "--resume continues from the last saved epoch" if saved else "nothing is saved"
        _say(str(stopped) or f"interrupted: {left}")
        return 130
    return 0


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, Recipe, str]:
    """Return the options, the recipe, and the name of the network; exit if they are invalid."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options, *_recipe(options)
    except ValueError as error:
        parser.error(str(error))


def _run(
    recipe: Recipe, *, name: str, out: Path, options: argparse.Namespace, command: str
) -> None:
    device = pick_local_device(options.device)
    with process_group(device):
        if broadcast(options.resume and is_trained(out, recipe)):
            _say(f"{out} is already trained")
            if not rank():
                delete_state(out / STATE_FILE)
        else:
            _train(recipe, name=name, out=out, options=options, command=command, device=device)
    if rank():
        return
    try:
        if not (out / checkpoint.CARD_FILE).is_file():
            _measure(out, options, device=device)
    except KeyboardInterrupt:
        raise ValueError(
            f"interrupted: the weights are in {out}, not measured and not pushed; "
            f"python -m training.evaluate {shlex.quote(str(out))} measures them"
        ) from None
    loaded = checkpoint.load(out)
    figures = {key: value for key, value in loaded.results.items() if key != "history"}
    print(json.dumps(figures | _test_figures(loaded.evaluation["test"])))
    if options.push:
        _push(out, options.push, interrupted=loaded.results["interrupted"])


def _train(
    recipe: Recipe,
    *,
    name: str,
    out: Path,
    options: argparse.Namespace,
    command: str,
    device: torch.device,
) -> None:
    """Train a network, or resume its training; rank 0 calibrates and saves it."""
    teachers = [_load_teacher(teacher).to(device) for teacher in recipe.teachers]
    train_split, val_split, synthetic = _load_data(recipe, options, device=device)
    state_file = out / STATE_FILE
    if state_file.is_file():
        ignored = "starting from epoch 1, and replacing the saved state"
        _say(f"{'continuing from' if options.resume else ignored} {state_file}")
    elif options.resume:
        _say(f"no saved state at {state_file}: starting from epoch 1")
    trained = train(
        recipe, train_split, val_split,
        synthetic=synthetic, teachers=teachers, progress=not options.quiet,
        state_file=state_file, save_seconds=options.save_seconds, resume=options.resume,
    )  # fmt: skip
    if rank():
        return
    if not trained.best_epoch:
        raise ValueError(
            "the loss is not finite: try a lower --lr"
            if trained.history
            else "no epoch was finished: nothing is saved"
        )
    if trained.interrupted:
        resumable = "; --resume continues" if state_file.is_file() else ""
        _say(f"interrupted: keeping epoch {trained.best_epoch}{resumable}")
    results = _results(recipe, trained, n_mnist=len(train_split.labels), name=name)
    results |= calibrate(trained.model, val_split, synthetic, rejects=recipe.outliers > 0)
    save_training(out, trained.model, results | {"command": command})
    if not trained.interrupted:
        delete_state(state_file)
    _say(f"saved to {out}")


def _load_data(
    recipe: Recipe, options: argparse.Namespace, *, device: torch.device
) -> tuple[Split, Split, SyntheticData | None]:
    """Return the data to train on, to validate on, and the synthetic images."""
    with local_rank_zero_first():
        train_split, val_split = load_train_val(
            options.data_dir, seed=recipe.seed, split=recipe.split, device=device
        )
        n_mnist, cache = len(train_split.labels), Path(options.data_dir) / "drawn"
        synthetic = load_synthetic(recipe, n_mnist=n_mnist, cache=cache, device=device)
    if synthetic and not len(val_split.labels):  # all of MNIST is trained on
        val_split = synthetic.val_written_digits
    return train_split, val_split, synthetic


def _push(out: Path, repo_id: str, *, interrupted: bool) -> None:
    unpushed = f"python -m training.publish {shlex.quote(str(out))} {repo_id} pushes it"
    try:
        if interrupted:
            raise KeyboardInterrupt
        push(out, repo_id, log=_say)
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(str(stopped) or f"interrupted: not pushed; {unpushed}") from None


def _test_figures(test: dict[str, Any]) -> dict[str, float]:
    return {
        "test_accuracy": test["accuracy"]["value"],
        "test_calibration_error": test["calibration_error"],
        "test_refused": test["refused"],
    }


def save_training(out: Path, model: MLP, results: dict[str, Any]) -> None:
    """Write a checkpoint with results.json.

    Figures and a card of earlier weights are deleted first: if the process is killed, the folder
    has no figures instead of wrong ones.
    """
    for stale in (checkpoint.RESULTS_FILE, checkpoint.EVALUATION_FILE, card.CARD_FILE):
        (out / stale).unlink(missing_ok=True)
    checkpoint.save(
        out, model, **{key: results[key] for key in ("name", "temperature", "threshold")}
    )
    checkpoint.write_json(out / checkpoint.RESULTS_FILE, results)


def _measure(out: Path, options: argparse.Namespace, *, device: torch.device) -> None:
    """Measure the saved checkpoint, and write its figures and its card."""
    _say("evaluating it on data that training did not use")
    data = prepare_evaluation_data(options.data_dir, samples=options.samples)
    loaded = checkpoint.load(out)
    loaded.model.to(device)
    evaluate.write_evaluation(str(out), loaded, data, samples=options.samples)
    card.write_card(out, where=options.push or str(out))


def _load_teacher(name: str) -> MLP:
    if name in MEMBERS and not Path(name).is_dir():  # else the Hub would be asked for that name
        raise ValueError(f"{name} is missing: run python -m training.ensemble first")
    return checkpoint.load(name).model


def load_synthetic(
    recipe: Recipe, *, n_mnist: int, cache: Path, device: torch.device
) -> SyntheticData | None:
    """Return the synthetic images that the recipe needs, at most as many as its epochs can use."""
    shares = recipe.synthetic_digits, recipe.written_digits, recipe.outliers
    if not any(shares):
        return None
    _say("drawing synthetic digits and outliers, which takes some minutes unless they are cached")
    loads = load_digits, load_written_digits, load_outliers
    drawn = [
        load(min(pool, math.ceil(share * n_mnist * recipe.epochs)), seed=0, cache=cache)
        for load, share, pool in zip(loads, shares, (POOL, POOL, OUTLIER_POOL), strict=True)
    ]
    drawn += [
        load_digits(VAL_POOL, seed=1, cache=cache),
        load_unseen_written_digits(VAL_POOL if recipe.written_digits else 0, seed=1, cache=cache),
        load_outliers(VAL_POOL, seed=1, cache=cache),
    ]
    return SyntheticData(*(split.to(device) for split in drawn))


def _results(recipe: Recipe, trained: TrainingResult, *, n_mnist: int, name: str) -> dict[str, Any]:
    n_epoch = round(
        n_mnist * (1 + recipe.synthetic_digits + recipe.written_digits + recipe.outliers)
    )
    n_images = len(trained.history) * n_epoch
    return {
        "name": name,
        "parameters": trained.model.n_parameters,
        "val_accuracy": trained.best_val_accuracy,
        "best_epoch": trained.best_epoch,
        "interrupted": trained.interrupted,
        "seconds": round(trained.seconds, 1),
        "images_per_second": round(n_images / trained.seconds),
        "device": _device_name(next(trained.model.parameters()).device),
        "seed": recipe.seed,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "commit": _commit(),
        "recipe": recipe.as_json(),
        "history": trained.history,
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"cpu, {torch.get_num_threads()} threads" if device.type == "cpu" else str(device)
    return name if world_size() == 1 else f"{world_size()} processes with {name} each"


def _commit() -> str | None:
    """Return the commit of this code, marked if there are later changes; None without git."""
    code = ["training", "model/*.py"]  # not the weights, which this command may replace
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", *code)
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{head}-dirty" if changed else head


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent.parent), *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.strip()


def _say(line: str) -> None:
    if not rank():
        print(line, file=sys.stderr)


def _recipe(options: argparse.Namespace) -> tuple[Recipe, str]:
    """Return the recipe of the command line, and a name for the network.

    Raises:
        ValueError: an option is out of its range.
    """
    shares = ("synthetic_digits", "written_digits", "outliers")
    names = ("hidden_sizes", "epochs", "batch_size", "lr", "seed", "split", *shares)
    changed = {name: value for name in names if (value := getattr(options, name)) is not None}
    if "hidden_sizes" in changed:
        changed["hidden_sizes"] = tuple(changed["hidden_sizes"])
        if not checkpoint.sizes_fit(changed["hidden_sizes"]):
            raise ValueError(
                f"--hidden-sizes takes at most {checkpoint.MAX_LAYERS} numbers "
                f"in 1..{checkpoint.MAX_UNITS}"
            )
    for name in ("epochs", "batch_size", "lr"):
        if not 0 < changed.get(name, 1) < math.inf:  # also false for NaN
            raise ValueError(f"--{name.replace('_', '-')} must be above 0")
    if not options.save_seconds >= 0:
        raise ValueError("--save-seconds must be at least 0")
    if options.samples < 1:
        raise ValueError("--samples must be above 0")
    if options.hidden_sizes is not None:
        changed.setdefault("split", "random")  # as in the tutorial
    for name in shares:
        if not 0 <= changed.get(name, 0) <= 1:
            raise ValueError(f"--{name.replace('_', '-')} must be in 0..1")
    recipe = dataclasses.replace(PRESETS[options.preset], **changed)
    if recipe.split == "all" and not recipe.written_digits:
        raise ValueError("--split all needs --written-digits to validate on")
    sizes = "-".join(map(str, recipe.hidden_sizes))
    return recipe, f"mlp-{sizes}" if sizes else "logistic"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    add = parser.add_argument
    add("--preset", choices=PRESETS, default="mlp-32", help="the recipe to start from (mlp-32)")
    add("--hidden-sizes", type=int, nargs="*", metavar="N", help="units of each hidden layer")
    add("--epochs", type=int, help="passes over the training images")
    add("--batch-size", type=int, help="MNIST images per step")
    add("--lr", type=float, help="peak learning rate")
    add("--synthetic-digits", type=float, metavar="SHARE", help="synthetic digits per MNIST image")
    add("--pens", type=float, dest="synthetic_digits", help=argparse.SUPPRESS)  # its name in 0.1.0
    add("--written-digits", type=float, metavar="SHARE",
        help="variants of digits that people wrote on a tablet, per MNIST image")  # fmt: skip
    add("--outliers", type=float, metavar="SHARE",
        help="synthetic pictures that are not digits, per MNIST image")  # fmt: skip
    add("--split", choices=SPLITS, help="which MNIST images are validated on: 10,000 at random, "
        "those of a sixth of the writers, or none")  # fmt: skip
    add("--seed", type=int, help="seed of the split, the weights, the order and the distortion")
    add("--samples", type=int, default=evaluate.SAMPLES, metavar="N",
        help=f"outliers of each kind in the evaluation ({evaluate.SAMPLES:,})")  # fmt: skip
    add("--device", default="auto", help="auto (CUDA if available), cpu, cuda, cuda:1 or mps")
    add("--data-dir", default="data", help="the folder with MNIST, downloaded if missing (data)")
    add("--out", help="the folder to save to (checkpoints/NAME)")
    add("--push", metavar="OWNER/NAME", help="push to the Hugging Face Hub, created if new")
    add("--resume", action="store_true",
        help="continue an interrupted training; start if there is none")  # fmt: skip
    add("--save-seconds", type=float, default=SAVE_SECONDS, metavar="S",
        help=f"minimum time between two saves of the state ({SAVE_SECONDS:.0f})")  # fmt: skip
    add(
        "--data-only",
        action="store_true",
        help="download MNIST and generate the synthetic images, and do not train",
    )
    add("--dry-run", action="store_true", help="print what would be done, as JSON")
    add("--quiet", action="store_true", help="show no progress bar")
    return parser


if __name__ == "__main__":
    sys.exit(main())
