"""The flood's callers, in a process of their own: good, slow and hostile ones."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from multiprocessing.connection import Connection
from typing import Any

import orjson

from benchmarks.flood.hostile import Attack, attacks, upload_of
from benchmarks.flood.line import Line, Reply
from benchmarks.flood.questions import Question, owners, questions, same
from benchmarks.serving.callers import JSON, form
from model import Reader
from model.checkpoint import shipped_names
from server.traffic import BUSY, FULL

API = "/gradio_api"
WAITING = (BUSY, FULL)  # refusals that say when to come again
EVERY_SLOW = 8  # of so many callers one is slow, and one hostile
DRIP = 5  # bytes that a slow caller sends at once
PAUSE = 0.5  # s between them, and between two hostile calls
UNREAD = 10  # s that an answer is left unread
GRACE = 40  # s that good callers have to finish in; a request has 30 to arrive


@dataclass
class Report:
    """What became of the calls."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)  # by kind and status
    right: int = 0
    wrong: list[str] = field(default_factory=list)  # answers
    misdirected: list[str] = field(default_factory=list)  # wrong, and somebody else's
    strange: list[str] = field(default_factory=list)  # refusals that are not as stated
    seconds: float = 0.0


class Caller:
    """One that calls, and notes what became of it."""

    def __init__(self, url: str, report: Report) -> None:
        self.line = Line(url)
        self.report = report

    async def ask(self, kind: str, *request: Any) -> Reply:
        """Send a request, and again when the server says so."""
        while True:
            reply = await self.line.ask(*request)
            self.report.calls[kind, str(reply.status)] += 1
            if reply.status != 503 or not self._must_wait(kind, reply):
                return reply
            await asyncio.sleep(float(reply.headers["retry-after"]))

    def _must_wait(self, kind: str, reply: Reply) -> bool:
        said = orjson.loads(reply.body)
        stated = said.get("error") in WAITING and reply.headers.get("retry-after", "").isdigit()
        if not stated:
            self.report.strange.append(f"{kind}: 503 {reply.headers.get('retry-after')} {said}")
        return stated


class GoodCaller(Caller):
    """One that asks what it may, and knows the answer."""

    def __init__(
        self,
        url: str,
        report: Report,
        number: int,
        everyone: Sequence[Sequence[Question]],
        functions: dict[str, int],
    ) -> None:
        super().__init__(url, report)
        self.number = number
        self.everyone = everyone
        self.functions = functions
        self.sessions = count()

    async def call(self, until: float | None) -> None:
        """Ask everything in turn, in an order of its own; without an end, once."""
        order = list(self.everyone[self.number])
        random.Random(self.number).shuffle(order)
        for question in cycle(order) if until else order:
            if until and time.monotonic() >= until:
                return
            await self.check(question)

    async def check(self, question: Question) -> None:
        """Ask one question, and compare the answer."""
        kind = f"{question.way} {question.endpoint}"
        try:
            answer = await self._answer(kind, question)
        except (OSError, EOFError) as error:
            self.report.calls[kind, "broken off"] += 1
            self.report.strange.append(f"{kind}: {type(error).__name__} {error}")
            return
        if same(answer, question.expected):
            self.report.right += 1
            return
        note = f"{kind}, caller {self.number}: {str(answer)[:200]}"
        others = owners(answer, question, self.everyone)
        if others:
            self.report.misdirected.append(f"{note} of caller {others}")
        elif answer is not None:
            self.report.wrong.append(note)

    async def _answer(self, kind: str, question: Question) -> Any:
        """Return what is answered; None for a refusal, which is noted."""
        arguments = dict(question.arguments)
        for name, value in arguments.items():
            if isinstance(value, bytes):
                reply = await self.ask(
                    "upload", "POST", f"{API}/upload", *form(f"{name}.bin", value)
                )
                if reply.status != 200:
                    return self._refused("upload", reply)
                arguments[name] = {"path": orjson.loads(reply.body)[0]}
        return await self._ways[question.way](self, kind, question.endpoint, arguments)

    async def _run(self, kind: str, endpoint: str, arguments: dict[str, Any]) -> Any:
        body = orjson.dumps({"data": list(arguments.values())})
        reply = await self.ask(kind, "POST", f"{API}/run/{endpoint}", body)
        if reply.status != 200:
            return self._refused(kind, reply)
        return orjson.loads(reply.body)["data"][0]

    async def _call(self, kind: str, endpoint: str, arguments: dict[str, Any]) -> Any:
        path = f"{API}/call/v2/{endpoint}"
        reply = await self.ask(kind, "POST", path, orjson.dumps(arguments))
        if reply.status != 200:
            return self._refused(kind, reply)
        event = orjson.loads(reply.body)["event_id"]
        events = await self.ask(f"{kind}, events", "GET", f"{API}/call/{endpoint}/{event}")
        # Progress comes as heartbeats and messages of its own before the answer.
        last = events.body.rpartition(b"event: ")[2]
        if not last.startswith(b"complete"):
            return self._refused(kind, events)
        return orjson.loads(last.partition(b"data: ")[2])[0]

    async def _queue(self, kind: str, endpoint: str, arguments: dict[str, Any]) -> Any:
        session = f"caller{self.number}x{next(self.sessions)}"
        body = {"data": list(arguments.values()), "fn_index": self.functions[endpoint]}
        body = orjson.dumps(body | {"session_hash": session})
        reply = await self.ask(kind, "POST", f"{API}/queue/join", body)
        if reply.status != 200:
            return self._refused(kind, reply)
        path = f"{API}/queue/data?session_hash={session}"
        events = await self.ask(f"{kind}, events", "GET", path)
        for line in events.body.split(b"\n"):
            if b"process_completed" in line:
                told = orjson.loads(line.removeprefix(b"data: "))
                if told["success"]:
                    return told["output"]["data"][0]
        return self._refused(kind, events)

    def _refused(self, kind: str, reply: Reply) -> None:
        if reply.status != 503:  # those are noted where they are obeyed
            self.report.strange.append(f"{kind}: {reply.status} {reply.body[:300]!r}")

    _ways = {"run": _run, "call/v2": _call, "queue": _queue}  # noqa: RUF012


class SlowCaller(Caller):
    """One that takes its time, and the server's."""

    def __init__(self, url: str, report: Report, number: int) -> None:
        super().__init__(url, report)
        self.number = number  # each begins with another habit
        half, kind = form("half.png", b"\x89PNG")
        whole = (f"{API}/upload", half.rpartition(b"\r\n--")[0], kind)
        self.drips = cycle([whole, (f"{API}/run/predict_strokes", b"{", JSON)])

    async def call(self, until: float | None) -> None:
        """Be slow in each way, one after the other."""
        habits = [self._drip, self._leave_unread, self._never_fetch, self._hold_open]
        first = self.number % len(habits)
        for habit in cycle(habits[first:] + habits[:first]):
            if until and time.monotonic() >= until:
                return
            try:
                await habit()
            except (OSError, EOFError):
                self.report.calls[f"slow: {habit.__name__}", "broken off"] += 1
            self.line.close()

    async def _drip(self) -> None:
        """Send a body a few bytes at a time, until the server has had enough."""
        request = next(self.drips)
        await self.line.send("POST", *request, length=100_000)
        answer = asyncio.ensure_future(self.line.receive())
        while not answer.done():
            await self.line.write(b" " * DRIP)
            await asyncio.wait([answer], timeout=PAUSE)
        self.report.calls["slow: body", str(answer.result().status)] += 1
        self._note("slow: body", answer.result(), {408: b"seconds to arrive"})

    async def _leave_unread(self) -> None:
        """Open the stream of an answer, and do not read it."""
        event = await self._join()
        await self.line.send("GET", f"{API}/call/explain_strokes/{event}")
        await asyncio.sleep(UNREAD)
        self.report.calls["slow: events unread", "closed by the caller"] += 1

    async def _never_fetch(self) -> None:
        """Ask again and again, and never come for the answers."""
        for _ in range(20):
            await self._join()
            await asyncio.sleep(0.2)

    async def _hold_open(self) -> None:
        """Hold a page's stream open."""
        await self.line.send("GET", f"{API}/heartbeat/nobody{id(self)}")
        status, _ = await self.line.head()
        self.report.calls["slow: heartbeat", str(status)] += 1
        await asyncio.sleep(UNREAD)

    async def _join(self) -> str:
        body = orjson.dumps({"strokes": [[[0, 0], [9, 9]]], "model": "mlp-1024"})
        reply = await self.ask("slow: join", "POST", f"{API}/call/v2/explain_strokes", body)
        self._note("slow: join", reply, {200: b"event_id"})
        return orjson.loads(reply.body).get("event_id", "none")

    def _note(self, kind: str, reply: Reply, stated: dict[int, bytes]) -> None:
        if stated.get(reply.status, b"\0") not in reply.body and reply.status != 503:
            self.report.strange.append(f"{kind}: {reply.status} {reply.body[:300]!r}")


class HostileCaller(Caller):
    """One that means harm."""

    def __init__(self, url: str, report: Report, means: Sequence[Attack], sketchpad: int) -> None:
        super().__init__(url, report)
        self.means = means
        self.page = {b'"SKETCHPAD"': b"%d" % sketchpad, b'"SESSION"': b'"hostile%d"' % id(self)}

    async def call(self, until: float | None) -> None:
        """Try everything in turn."""
        for attack in cycle(self.means):
            if until and time.monotonic() >= until:
                return
            await self._try(attack)
            await asyncio.sleep(PAUSE / 2)

    async def _try(self, attack: Attack) -> None:
        kind, body = f"hostile: {attack.name}", attack.body
        try:
            if attack.upload:
                up = await self.ask("hostile: upload", "POST", f"{API}/upload", *upload_of(attack))
                body = body.replace(b'"PATH"', orjson.dumps(orjson.loads(up.body)[0]))
            for name, value in self.page.items():
                body = body.replace(name, value)
            reply = await self.ask(kind, attack.method, attack.path, body, attack.kind)
        except (OSError, EOFError) as error:
            self.line.close()
            self.report.calls[kind, "broken off"] += 1
            if not attack.cut_off:
                self.report.strange.append(f"{kind}: {type(error).__name__} {error}")
            return
        said = orjson.loads(reply.body).get("error", "")
        as_stated = attack.says in said if attack.says else not said
        if reply.status != attack.status or not as_stated:
            self.report.strange.append(f"{kind}: {reply.status} {reply.body[:300]!r}")


def ask_everything(pipe: Connection, url: str, callers: int) -> None:
    """Prepare, say so, and flood for as long as is asked; None ends it."""
    readers = {name: Reader.load(name, device="cpu") for name in shipped_names()}
    others = callers // EVERY_SLOW
    everyone = [questions(readers, number) for number in range(callers - 2 * others)]
    means = attacks()
    pipe.send("ready")
    while (seconds := pipe.recv()) is not None:
        pipe.send(asyncio.run(_flood(url, seconds, everyone, means, others if seconds else 0)))


async def _flood(
    url: str,
    seconds: float,
    everyone: Sequence[Sequence[Question]],
    means: Sequence[Attack],
    others: int,
) -> Report:
    """Let all call at once. After no time, each good one has asked everything once."""
    report = Report()
    config = (await Line(url).ask("GET", "/config")).json()
    functions = {each["api_name"]: each["id"] for each in config["dependencies"]}
    parts = {each["props"].get("elem_id"): each["id"] for each in config["components"]}
    good = [GoodCaller(url, report, n, everyone, functions) for n in range(len(everyone))]
    slow = [SlowCaller(url, report, n) for n in range(others)]
    # Each starts at another attack, so that a short flood has many kinds, and the same each time.
    starts = [n * len(means) // others for n in range(others)]
    hostile = [
        HostileCaller(url, report, [*means[start:], *means[:start]], parts["sketchpad"])
        for start in starts
    ]
    started = time.monotonic()
    until = started + seconds if seconds else None
    rest = [asyncio.ensure_future(caller.call(until)) for caller in (*slow, *hostile)]
    async with asyncio.timeout(seconds + GRACE):
        await asyncio.gather(*(caller.call(until) for caller in good))
    report.seconds = time.monotonic() - started
    await _end(rest)
    return report


async def _end(tasks: Sequence[asyncio.Future]) -> None:
    """End callers that would go on being slow, and raise what else went wrong in them."""
    for task in tasks:
        task.cancel()
    for done in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(done, Exception):
            raise done
