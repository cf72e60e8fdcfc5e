"""Train the ensemble that teaches mlp-1024, one member after another: python -m training.ensemble

A member that is already trained with the current recipe is left as it is, so the same command
resumes after an interruption. An unfinished member is trained again from its start.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from model.checkpoint import RESULTS_FILE
from training.__main__ import main as train
from training.recipe import MEMBERS, PRESETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.ensemble", description=__doc__)
    parser.add_argument("--data-dir", default="data", help="the folder with MNIST (data)")
    parser.add_argument("--device", default="auto", help="as for python -m training")
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    options = parser.parse_args(arguments)
    for member in MEMBERS:
        seed = int(member.rpartition("-")[2])
        if _is_trained(Path(member), seed):
            print(f"{member} is already trained", file=sys.stderr)
            continue
        command = ["--preset", "member", "--seed", str(seed), "--out", member]
        command += ["--data-dir", options.data_dir, "--device", options.device]
        if status := train(command + ["--quiet"] * options.quiet):
            return status
        if not _is_trained(Path(member), seed):  # Ctrl-C: the training kept an earlier epoch
            return 130
    return 0


def _is_trained(folder: Path, seed: int) -> bool:
    """Return whether a folder holds a member that was trained to the end, with this recipe."""
    try:
        results = json.loads((folder / RESULTS_FILE).read_text(encoding="utf-8"))
        recipe, interrupted = results["recipe"], results["interrupted"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return recipe == replace(PRESETS["member"], seed=seed).as_json() and not interrupted


if __name__ == "__main__":
    sys.exit(main())
