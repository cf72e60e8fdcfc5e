"""The folder of uploads: one of the server's own, bounded and cleaned."""

import time
from pathlib import Path
from typing import NamedTuple

MAX_FILES = 5_000  # each costs a folder as well
GRACE = 30  # s: so long a caller has between the upload and the call that reads it


class _File(NamedTuple):
    changed: float  # s since the epoch
    size: int
    path: Path


class Uploads:
    """Gradio's upload folder: each file lies in a folder named by its hash."""

    def __init__(self, folder: Path, *, max_bytes: int, max_age: float) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.max_age = max_age
        self.bytes = 0
        self.files = 0

    def has_room(self, size: int) -> bool:
        """Say whether a file of so many bytes can be taken, and count it if so."""
        if self.bytes + size > self.max_bytes or self.files >= MAX_FILES:
            return False
        self.bytes += size
        self.files += 1
        return True

    def clean(self, *, room: int = 0) -> list[str]:
        """Delete what is too old, and the oldest until `room` bytes are free; return their paths.

        What came within the last half minute stays.
        """
        now = time.time()
        files = sorted(self._files())
        total = sum(file.size for file in files)
        left, removed = len(files), []
        for file in files:
            full = total + room > self.max_bytes or left >= MAX_FILES
            age = now - file.changed
            if age > self.max_age or (full and age > GRACE):
                _remove(file.path)
                removed.append(str(file.path))
                total -= file.size
                left -= 1
        self.bytes, self.files = total, left
        return removed

    def _files(self) -> list[_File]:
        found = []
        for path in self.folder.rglob("*"):
            try:
                status = path.lstat()
            except FileNotFoundError:  # it was renamed into its place meanwhile
                continue
            if not path.is_dir():
                found.append(_File(status.st_mtime, status.st_size, path))
        return found


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        path.parent.rmdir()
    except OSError:
        return  # it holds another file of the same content, or is the folder itself
