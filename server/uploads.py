"""The folder of uploads: one of the server's own, bounded and cleaned."""

import time
from pathlib import Path
from typing import NamedTuple, Self

from server.limits import ServerLimits

MAX_FILES = 5_000  # each costs a folder as well


class _File(NamedTuple):
    changed: float  # s since the epoch
    size: int
    path: Path


class Uploads:
    """Gradio's upload folder: each file lies in a folder named by its hash."""

    @classmethod
    def of(cls, limits: ServerLimits, folder: Path) -> Self:
        """Return what a server of these limits has."""
        grace = 2 * limits.max_seconds  # to arrive in, and to wait behind a batch
        return cls(folder, max_bytes=limits.max_cache, max_age=limits.max_age, grace=grace)

    def __init__(self, folder: Path, *, max_bytes: int, max_age: float, grace: float) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.max_age = max_age
        self.grace = grace  # s: so long a caller has between the upload and the call that reads it
        self._bytes = self._files = 0  # on the disk, by the last look and what has come since
        self._arriving: list[int] = []  # bytes of each upload that is on its way
        self._removed: list[str] = []

    def reserve(self, size: int) -> bool:
        """Keep room for a file of so many bytes; say whether there is."""
        full = self._bytes + sum(self._arriving) + size > self.max_bytes
        if full or self._files + len(self._arriving) >= MAX_FILES:
            return False
        self._arriving.append(size)
        return True

    def release(self, size: int) -> None:
        """Count a file that room was kept for as having come, for now: it may not have."""
        self._arriving.remove(size)
        self._bytes += size
        self._files += 1

    def clean(self, *, room: int = 0) -> None:
        """Delete what is too old, and the oldest until `room` bytes are free.

        What came but now stays.
        """
        now, files = time.time(), sorted(self._look())
        total, left = sum(file.size for file in files), len(files)
        for file in files:
            full = total + room > self.max_bytes or left >= MAX_FILES
            age = now - file.changed
            if age > max(self.max_age, self.grace) or (full and age > self.grace):
                _remove(file.path)
                self._removed.append(str(file.path))
                total -= file.size
                left -= 1
        self._bytes, self._files = total, left

    def take_removed(self) -> list[str]:
        """Return what has been deleted since this was last asked."""
        removed, self._removed = self._removed, []
        return removed

    def _look(self) -> list[_File]:
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
