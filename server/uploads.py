"""The folder of uploaded files, with a limit on its size and on the age of a file."""

import time
from pathlib import Path
from typing import NamedTuple, Self

from server.limits import ServerLimits

MAX_FILES = 5_000  # each file takes a folder as well


class _File(NamedTuple):
    modified: float  # seconds since the epoch
    size: int  # bytes
    path: Path


class Uploads:
    """Gradio's upload folder. Gradio stores each file in a folder named after its hash."""

    @classmethod
    def of(cls, limits: ServerLimits, folder: Path) -> Self:
        """Return the uploads of a server with these limits."""
        grace = 2 * limits.max_seconds  # for the upload to arrive, and to wait behind a batch
        return cls(folder, max_bytes=limits.max_cache, max_age=limits.max_age, grace=grace)

    def __init__(self, folder: Path, *, max_bytes: int, max_age: float, grace: float) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.max_age = max_age  # seconds
        self.grace = grace  # seconds between an upload and the call that reads it
        self._n_bytes = self._n_files = 0  # on disk at the last count, and uploads since
        self._reserved: list[int] = []  # bytes of each upload that is arriving
        self._deleted: list[str] = []

    def reserve(self, size: int) -> bool:
        """Reserve room for a file of `size` bytes; return whether there was room."""
        full = self._n_bytes + sum(self._reserved) + size > self.max_bytes
        if full or self._n_files + len(self._reserved) >= MAX_FILES:
            return False
        self._reserved.append(size)
        return True

    def release(self, size: int) -> None:
        """End a reservation, and count its file as stored until the next look at the disk."""
        self._reserved.remove(size)
        self._n_bytes += size
        self._n_files += 1

    def delete_old(self, *, needed: int = 0) -> None:
        """Delete files above the maximum age, and the oldest until `needed` bytes are free.

        Files that are younger than the grace period are kept.
        """
        now, files = time.time(), sorted(self._list_files())
        n_bytes, n_files = sum(file.size for file in files), len(files)
        for file in files:
            full = n_bytes + needed > self.max_bytes or n_files >= MAX_FILES
            age = now - file.modified
            if age > max(self.max_age, self.grace) or (full and age > self.grace):
                _delete(file.path)
                self._deleted.append(str(file.path))
                n_bytes -= file.size
                n_files -= 1
        self._n_bytes, self._n_files = n_bytes, n_files

    def take_deleted(self) -> list[str]:
        """Return the paths that were deleted since the last call of this method."""
        deleted, self._deleted = self._deleted, []
        return deleted

    def _list_files(self) -> list[_File]:
        files = []
        for path in self.folder.rglob("*"):
            try:
                status = path.lstat()
            except FileNotFoundError:  # Gradio has just moved it to its final name
                continue
            if not path.is_dir():
                files.append(_File(status.st_mtime, status.st_size, path))
        return files


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        path.parent.rmdir()
    except OSError:
        return  # the folder holds another file, or is the upload folder itself
