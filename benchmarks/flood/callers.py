"""The callers of the flood, in a process of their own: valid, slow and hostile ones."""

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

from benchmarks.flood.connection import HttpConnection, Reply
from benchmarks.flood.hostile import Attack, attacks, upload_of
from benchmarks.flood.questions import Question, owners, questions, same
from benchmarks.serving.callers import JSON, form
from model import Reader
from model.checkpoint import shipped_names
from server.capacity import UPLOADS_FULL
from server.responses import BUSY

API = "/gradio_api"
WAITING = (BUSY, UPLOADS_FULL)  # errors of rejections with Retry-After
EVERY_SLOW = 8  # one of so many callers is slow, and one is hostile
DRIP = 5  # bytes that a slow caller sends at a time
PAUSE = 0.5  # s between these bytes
UNREAD = 10  # s until a slow caller closes an unread response
GRACE = 180  # s for valid callers to finish on a slow machine, where their calls take 100 s


@dataclass
class Report:
    """The results of the calls."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)  # number by kind and status
    right: int = 0
    wrong: list[str] = field(default_factory=list)  # wrong results
    misdirected: list[str] = field(default_factory=list)  # results of another caller
    strange: list[str] = field(default_factory=list)  # rejections that are not as documented
    seconds: float = 0.0


class Caller:
    """A caller that records its responses in a report."""

    def __init__(self, url: str, report: Report) -> None:
        self.connection = HttpConnection(url)
        self.report = report

    async def request(self, kind: str, *request: Any) -> Reply:
        """Send a request; repeat it after Retry-After if the server is busy."""
        while True:
            reply = await self.connection.request(*request)
            self.report.calls[kind, str(reply.status)] += 1
            if reply.status != 503 or not self._must_wait(kind, reply):
                return reply
            await asyncio.sleep(float(reply.headers["retry-after"]))

    def _must_wait(self, kind: str, reply: Reply) -> bool:
        content = orjson.loads(reply.body)
        stated = content.get("error") in WAITING and reply.headers.get("retry-after", "").isdigit()
        if not stated:
            self.report.strange.append(f"{kind}: 503 {reply.headers.get('retry-after')} {content}")
        return stated


class ValidCaller(Caller):
    """A caller that sends valid requests and knows the expected results."""

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
        """Send all calls in a random order, repeatedly until a time, or once if it is None."""
        order = list(self.everyone[self.number])
        random.Random(self.number).shuffle(order)
        for question in cycle(order) if until else order:
            if until and time.monotonic() >= until:
                return
            await self.check(question)

    async def check(self, question: Question) -> None:
        """Send one call, and compare the result."""
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
        """Return the result; None for a rejected call, which is recorded."""
        arguments = dict(question.arguments)
        for name, value in arguments.items():
            if isinstance(value, bytes):
                reply = await self.request(
                    "upload", "POST", f"{API}/upload", *form(f"{name}.bin", value)
                )
                if reply.status != 200:
                    return self._rejected("upload", reply)
                arguments[name] = {"path": orjson.loads(reply.body)[0]}
        return await self._ways[question.way](self, kind, question.endpoint, arguments)

    async def _run(self, kind: str, endpoint: str, arguments: dict[str, Any]) -> Any:
        body = orjson.dumps({"data": list(arguments.values())})
        reply = await self.request(kind, "POST", f"{API}/run/{endpoint}", body)
        if reply.status != 200:
            return self._rejected(kind, reply)
        return orjson.loads(reply.body)["data"][0]

    async def _call(self, kind: str, endpoint: str, arguments: dict[str, Any]) -> Any:
        path = f"{API}/call/v2/{endpoint}"
        reply = await self.request(kind, "POST", path, orjson.dumps(arguments))
        if reply.status != 200:
            return self._rejected(kind, reply)
        event = orjson.loads(reply.body)["event_id"]
        events = await self.request(f"{kind}, events", "GET", f"{API}/call/{endpoint}/{event}")
        # Heartbeats and progress messages may precede the result.
        last = events.body.rpartition(b"event: ")[2]
        if not last.startswith(b"complete"):
            return self._rejected(kind, events)
        return orjson.loads(last.partition(b"data: ")[2])[0]

    async def _queue(self, kind: str, endpoint: str, arguments: dict[str, Any]) -> Any:
        session = f"caller{self.number}x{next(self.sessions)}"
        body = {"data": list(arguments.values()), "fn_index": self.functions[endpoint]}
        body = orjson.dumps(body | {"session_hash": session})
        reply = await self.request(kind, "POST", f"{API}/queue/join", body)
        if reply.status != 200:
            return self._rejected(kind, reply)
        path = f"{API}/queue/data?session_hash={session}"
        events = await self.request(f"{kind}, events", "GET", path)
        for line in events.body.split(b"\n"):
            if b"process_completed" in line:
                message = orjson.loads(line.removeprefix(b"data: "))
                if message["success"]:
                    return message["output"]["data"][0]
        return self._rejected(kind, events)

    def _rejected(self, kind: str, reply: Reply) -> None:
        if reply.status != 503:  # `request` records invalid refusals with 503
            self.report.strange.append(f"{kind}: {reply.status} {reply.body[:300]!r}")

    _ways = {"run": _run, "call/v2": _call, "queue": _queue}  # noqa: RUF012


class SlowCaller(Caller):
    """A caller that sends and reads slowly."""

    def __init__(self, url: str, report: Report, number: int) -> None:
        super().__init__(url, report)
        self.number = number  # determines the behaviour that it starts with
        half, kind = form("half.png", b"\x89PNG")
        whole = (f"{API}/upload", half.rpartition(b"\r\n--")[0], kind)
        self.drips = cycle([whole, (f"{API}/run/predict_strokes", b"{", JSON)])

    async def call(self, until: float | None) -> None:
        """Behave in each slow way, one after the other."""
        behaviours = [self._drip, self._leave_unread, self._never_fetch, self._hold_open]
        first = self.number % len(behaviours)
        for behave in cycle(behaviours[first:] + behaviours[:first]):
            if until and time.monotonic() >= until:
                return
            try:
                await behave()
            except (OSError, EOFError):
                self.report.calls[f"slow: {behave.__name__}", "broken off"] += 1
            self.connection.close()

    async def _drip(self) -> None:
        """Send a body a few bytes at a time, until the server responds with 408."""
        request = next(self.drips)
        await self.connection.send("POST", *request, length=100_000)
        answer = asyncio.ensure_future(self.connection.receive())
        while not answer.done():
            await self.connection.write(b" " * DRIP)
            await asyncio.wait([answer], timeout=PAUSE)
        self.report.calls["slow: body", str(answer.result().status)] += 1
        self._note("slow: body", answer.result(), {408: b"must arrive within"})

    async def _leave_unread(self) -> None:
        """Open the event stream of a call, and do not read it."""
        event = await self._join()
        await self.connection.send("GET", f"{API}/call/explain_strokes/{event}")
        await asyncio.sleep(UNREAD)
        self.report.calls["slow: events unread", "closed by the caller"] += 1

    async def _never_fetch(self) -> None:
        """Start calls, and never fetch their results."""
        for _ in range(20):
            await self._join()
            await asyncio.sleep(0.2)

    async def _hold_open(self) -> None:
        """Open the heartbeat stream of a page, and keep it open."""
        await self.connection.send("GET", f"{API}/heartbeat/nobody{id(self)}")
        status, _ = await self.connection.head()
        self.report.calls["slow: heartbeat", str(status)] += 1
        await asyncio.sleep(UNREAD)

    async def _join(self) -> str:
        body = orjson.dumps({"strokes": [[[0, 0], [9, 9]]], "model": "mlp-1024"})
        reply = await self.request("slow: join", "POST", f"{API}/call/v2/explain_strokes", body)
        self._note("slow: join", reply, {200: b"event_id"})
        return orjson.loads(reply.body).get("event_id", "none")

    def _note(self, kind: str, reply: Reply, stated: dict[int, bytes]) -> None:
        if stated.get(reply.status, b"\0") not in reply.body and reply.status != 503:
            self.report.strange.append(f"{kind}: {reply.status} {reply.body[:300]!r}")


class HostileCaller(Caller):
    """A caller that sends hostile requests."""

    def __init__(self, url: str, report: Report, hostile: Sequence[Attack], sketchpad: int) -> None:
        super().__init__(url, report)
        self.attacks = hostile
        self.page = {b'"SKETCHPAD"': b"%d" % sketchpad, b'"SESSION"': b'"hostile%d"' % id(self)}

    async def call(self, until: float | None) -> None:
        """Send all hostile requests in turn, until a time or without end."""
        for attack in cycle(self.attacks):
            if until and time.monotonic() >= until:
                return
            await self._try(attack)
            await asyncio.sleep(PAUSE / 2)

    async def _try(self, attack: Attack) -> None:
        kind, body = f"hostile: {attack.name}", attack.body
        try:
            if attack.upload:
                up = await self.request(
                    "hostile: upload", "POST", f"{API}/upload", *upload_of(attack)
                )
                body = body.replace(b'"PATH"', orjson.dumps(orjson.loads(up.body)[0]))
            for name, value in self.page.items():
                body = body.replace(name, value)
            reply = await self.request(kind, attack.method, attack.path, body, attack.kind)
        except (OSError, EOFError) as error:
            self.connection.close()
            self.report.calls[kind, "broken off"] += 1
            if not attack.cut_off:
                self.report.strange.append(f"{kind}: {type(error).__name__} {error}")
            return
        error = orjson.loads(reply.body).get("error", "")
        as_stated = attack.says in error if attack.says else not error
        if reply.status != attack.status or not as_stated:
            self.report.strange.append(f"{kind}: {reply.status} {reply.body[:300]!r}")


def run_callers(pipe: Connection, url: str, callers: int) -> None:
    """Send "ready", then run a flood for each number of seconds received, until None."""
    readers = {name: Reader.load(name, device="cpu") for name in shipped_names()}
    others = callers // EVERY_SLOW
    everyone = [questions(readers, number) for number in range(callers - 2 * others)]
    hostile = attacks()
    pipe.send("ready")
    while (seconds := pipe.recv()) is not None:
        pipe.send(asyncio.run(_flood(url, seconds, everyone, hostile, others if seconds else 0)))


async def _flood(
    url: str,
    seconds: float,
    everyone: Sequence[Sequence[Question]],
    hostile: Sequence[Attack],
    others: int,
) -> Report:
    """Run all callers at once. With 0 seconds, each valid caller sends its calls once."""
    report = Report()
    config = (await HttpConnection(url).request("GET", "/config")).json()
    functions = {each["api_name"]: each["id"] for each in config["dependencies"]}
    parts = {each["props"].get("elem_id"): each["id"] for each in config["components"]}
    valid = [ValidCaller(url, report, n, everyone, functions) for n in range(len(everyone))]
    slow = [SlowCaller(url, report, n) for n in range(others)]
    # Each starts at a different attack, so that a short flood has many kinds, the same each time.
    starts = [n * len(hostile) // others for n in range(others)]
    attackers = [
        HostileCaller(url, report, [*hostile[start:], *hostile[:start]], parts["sketchpad"])
        for start in starts
    ]
    started = time.monotonic()
    until = started + seconds if seconds else None
    rest = [asyncio.ensure_future(caller.call(until)) for caller in (*slow, *attackers)]
    async with asyncio.timeout(seconds + GRACE):
        await asyncio.gather(*(caller.call(until) for caller in valid))
    report.seconds = time.monotonic() - started
    await _end(rest)
    return report


async def _end(tasks: Sequence[asyncio.Future]) -> None:
    """Cancel callers, and raise other exceptions that occurred in them."""
    for task in tasks:
        task.cancel()
    for done in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(done, Exception):
            raise done
