"""The app under test: its URL, its process, its folder of uploads and its log."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.browser import running
from model import Reader
from tests.hostile.caller import Answer, Caller

# Details of the machine or the software, which no response may contain.
LEAKS = re.compile(
    r"/root|/home|/tmp|/usr|/var/|/proc/self|site-packages|dist-packages|Traceback|File \"|"
    r"gradio/\d|Python/\d|python3|uvicorn/\d|errors\.pydantic\.dev|root:x:|object at 0x"
)


class Server:
    """One process of app.py."""

    def __init__(self, url: str, pid: int, folder: Path, log: Path) -> None:
        self.caller = Caller(url)
        self.pid = pid
        self.folder = folder  # the only folder that the server may write to
        self.log = log
        self._read = 0

    def new_log(self) -> str:
        """Return what the process has written to stderr since the last call."""
        with self.log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._read)
            new = log.read()
            self._read = log.tell()
        return new

    def memory(self) -> int:
        """Return the resident memory of the process in bytes."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="utf-8").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def uploads(self) -> Path:
        """Return the folder of uploads. Gradio also makes an empty one, vibe_edit_history."""
        [uploads] = (p for p in self.folder.iterdir() if p.name != "vibe_edit_history")
        return uploads

    def leak(self, answer: Answer) -> str | None:
        """Return details that a response reveals, or None. Paths of uploads are allowed."""
        text = (answer.headers + answer.body).replace(str(self.uploads()), "UPLOADS")
        found = LEAKS.search(text)
        return found and text[max(0, found.start() - 60) : found.end() + 60]

    def assert_reads(self, strokes: list) -> None:
        """Assert that the server runs and gives the same reading as Reader."""
        answer = self.caller.run("predict_strokes", strokes, "mlp-32")
        reading = _reader().read_strokes(strokes)
        assert answer.status == 200, answer
        [result] = answer.json["data"]
        assert result["digit"] == reading.digit
        assert result["confidence"] == reading.confidence
        assert result["probabilities"] == reading.probabilities.tolist()


def _reader(loaded: list[Reader] = []) -> Reader:  # noqa: B006
    if not loaded:
        loaded.append(Reader.load("mlp-32"))
    return loaded[0]


@contextmanager
def attacked(folder: Path, *arguments: str) -> Iterator[Server]:
    """Run app.py with a temporary log and folder of uploads."""
    uploads, log = folder / "uploads", folder / "log"
    uploads.mkdir()
    with (
        log.open("w", encoding="utf-8") as errors,
        running(*arguments, env={"GRADIO_TEMP_DIR": str(uploads)}, stderr=errors) as (
            url,
            popen,
        ),
    ):
        yield Server(url, popen.pid, uploads, log)
