"""The app under attack: its address, its process, its folder of uploads and its complaints."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.browser import running
from model import Reader
from tests.hostile.caller import Answer, Caller

# What tells a stranger about the machine, and a caller nothing.
LEAKS = re.compile(
    r"/root|/home|/tmp|/usr|/var/|/proc/self|site-packages|dist-packages|Traceback|File \"|"
    r"gradio/\d|Python/\d|python3|uvicorn/\d|errors\.pydantic\.dev|root:x:|object at 0x"
)


class Server:
    """One process of app.py."""

    def __init__(self, url: str, pid: int, folder: Path, log: Path) -> None:
        self.caller = Caller(url)
        self.pid = pid
        self.folder = folder  # the only one that it may write to
        self.log = log
        self._read = 0

    def complaints(self) -> str:
        """Return what the process has written to stderr since this was last asked."""
        with self.log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._read)
            new = log.read()
            self._read = log.tell()
        return new

    def memory(self) -> int:
        """Return the bytes of memory that the process holds."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="utf-8").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def uploads(self) -> Path:
        """Return the folder of uploads; Gradio makes an empty one beside it."""
        [uploads] = (p for p in self.folder.iterdir() if p.name != "vibe_edit_history")
        return uploads

    def leak(self, answer: Answer) -> str | None:
        """Return what an answer tells of the machine, or None; an upload's path it must tell."""
        said = (answer.headers + answer.body).replace(str(self.uploads()), "UPLOADS")
        found = LEAKS.search(said)
        return found and said[max(0, found.start() - 60) : found.end() + 60]

    def assert_right(self, strokes: list) -> None:
        """Assert that the server lives, and reads as Reader does."""
        answer = self.caller.run("predict_strokes", strokes, "mlp-32")
        reading = _reader().read_strokes(strokes)
        assert answer.status == 200, answer
        [told] = answer.json["data"]
        assert told["digit"] == reading.digit
        assert told["confidence"] == reading.confidence
        assert told["probabilities"] == reading.probabilities.tolist()


def _reader(loaded: list[Reader] = []) -> Reader:  # noqa: B006
    if not loaded:
        loaded.append(Reader.load("mlp-32"))
    return loaded[0]


@contextmanager
def attacked(folder: Path, *arguments: str) -> Iterator[Server]:
    """Run app.py with a log and a folder of its own."""
    uploads, log = folder / "uploads", folder / "log"
    uploads.mkdir()
    with (
        log.open("w", encoding="utf-8") as complaints,
        running(*arguments, env={"GRADIO_TEMP_DIR": str(uploads)}, stderr=complaints) as (
            url,
            popen,
        ),
    ):
        yield Server(url, popen.pid, uploads, log)
