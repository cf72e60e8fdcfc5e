"""Write checkpoints' model cards from their measured figures: python -m training.card"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from model import checkpoint
from training.card.render import CARD_FILE, write_card


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the cards of checkpoints; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.card", description=__doc__)
    add = parser.add_argument
    add("checkpoints", nargs="*", metavar="CHECKPOINT", default=checkpoint.shipped_names(),
        help="shipped models, by name, or folders (default: all shipped models)")  # fmt: skip
    add(
        "--where",
        metavar="OWNER/NAME",
        help="the name on the Hub from which the card loads the model (default: the folder)",
    )
    options = parser.parse_args(arguments)
    if options.where and len(options.checkpoints) > 1:
        parser.error("--where is for one checkpoint: name it")
    try:
        for name in options.checkpoints:
            folder, place = _folder(name)
            write_card(folder, where=options.where or place)
            print(f"saved to {folder / CARD_FILE}", file=sys.stderr)
    except (checkpoint.CheckpointError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _folder(name: str) -> tuple[Path, str]:
    """Return a checkpoint's folder, and the path that the card shows for it."""
    folder = checkpoint.folder_of(name)
    if name in checkpoint.shipped_names():
        return folder, folder.relative_to(checkpoint.SHIPPED.parent.parent).as_posix()
    if not folder.is_dir():
        raise checkpoint.CheckpointError(
            f"There is no folder {name}: expected a checkpoint's, or one of "
            f"{', '.join(checkpoint.shipped_names())}."
        )
    return folder, name


if __name__ == "__main__":
    sys.exit(main())
