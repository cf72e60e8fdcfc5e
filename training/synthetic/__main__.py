"""Write a sheet of synthetic digits or outliers: python -m training.synthetic --sheet FILE.png"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.synthetic.digits import draw_digits
from training.synthetic.images import tile
from training.synthetic.outliers import draw_outliers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.synthetic", description=__doc__)
    parser.add_argument(
        "--sheet", type=Path, required=True, metavar="FILE.png", help="the file to write"
    )
    parser.add_argument("--outliers", action="store_true", help="draw outliers instead of digits")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the images (0)")
    options = parser.parse_args(arguments)
    images, _ = (draw_outliers if options.outliers else draw_digits)((options.seed, 0))
    # 20 columns: each column holds one digit.
    tile(images, columns=20).resize((1_120, 1_400)).save(options.sheet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
