"""Read people's drawings, on which networks are evaluated."""

import json
from pathlib import Path
from typing import TypedDict

from model.drawing import DrawingError, parse
from training.data import DataError


class Drawing(TypedDict):
    """A digit that one person drew."""

    writer: int | str
    digit: int
    strokes: list


def load_drawings(path: Path) -> list[Drawing]:
    """Read drawings from a file with one JSON object per line.

    A line is such as {"writer": 1, "digit": 9, "strokes": [[[x, y], …]]}.

    Raises:
        DataError: the file cannot be read, or a line is not such an object.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {type(error).__name__}.") from error
    drawings = [_parse_line(line, f"{path}, line {i}") for i, line in enumerate(lines, start=1)]
    if not drawings:
        raise DataError(f"{path} is empty: expected one drawing per line.")
    return drawings


def _parse_line(line: str, where: str) -> Drawing:
    expected = f'{where}: expected {{"writer": 1, "digit": 9, "strokes": [[[x, y], ...], ...]}}.'
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(expected) from error
    if not isinstance(row, dict) or not row.keys() >= {"writer", "digit", "strokes"}:
        raise DataError(expected)
    if not isinstance(row["writer"], int | str):
        raise DataError(f"{where}: expected a writer's number or name, found {row['writer']!r}.")
    if row["digit"] not in range(10):
        raise DataError(f"{where}: expected a digit in 0..9, found {row['digit']!r}.")
    try:
        strokes = parse(row["strokes"])
    except DrawingError as error:
        raise DataError(f"{where}: {error}") from error
    if not strokes:
        raise DataError(f"{where}: expected at least one stroke, found none.")
    return {"writer": row["writer"], "digit": row["digit"], "strokes": row["strokes"]}
