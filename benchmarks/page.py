"""How fast the page answers a hand: python -m benchmarks.page DRAWINGS.jsonl

Strokes are replayed in a real Chromium at the speed of a hand, by mouse at 1,280 px and by touch
at 390 px. Each pointer event is timed until the first answer that knows of it stands in the DOM.
The echo is the same request through the same channel, to a server that does nothing with it.
"""

import argparse
import gzip
import json
import math
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, Request

from benchmarks.browser import DEVICES, chromium, serve

MODELS = ("mlp-32", "mlp-1024")
EVENTS_A_SECOND = 60  # what a screen of 60 Hz hands to a page
PAD = 280  # the sketchpad's units
INK = 200  # of them that a drawing spans
LIMIT = 100  # ms: the target of p95
TIMING = """
window.timing = { events: [], sent: [], read: [], tasks: [] };
for (const kind of ['pointerdown', 'pointermove']) {
  addEventListener(kind, (event) => event.buttons && timing.events.push(event.timeStamp), true);
}
const fetched = window.fetch;
window.fetch = (target, options) => {
  if (String(options?.body).includes('"models"')) timing.sent.push(performance.now());
  return fetched(target, options);
};
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) timing.tasks.push(task.duration);
}).observe({ entryTypes: ['longtask'] });
"""
AFTER_THE_PAGE = "document.addEventListener('reading', () => timing.read.push(performance.now()))"
ECHO = """async ({ url, body, count }) => {
  const times = [];
  for (let i = 0; i < count; i += 1) {
    const started = performance.now();
    const headers = { 'Content-Type': 'application/json' };
    await (await fetch(url, { method: 'POST', headers, body })).text();
    times.push(performance.now() - started);
  }
  return times;
}"""


def replay(page: Page, strokes: list, *, touch: bool) -> None:
    """Draw strokes at the speed of a hand."""
    box = page.get_by_test_id("sketchpad").bounding_box()
    assert box
    points = np.concatenate([np.asarray(stroke) for stroke in strokes])
    low, span = points.min(axis=0), np.ptp(points, axis=0).max()
    zoom = INK / max(float(span), 1e-9)
    session = page.context.new_cdp_session(page) if touch else None
    due = time.monotonic()
    for stroke in strokes:
        placed = (np.asarray(stroke) - low) * zoom + (PAD - INK) / 2
        for i, (x, y) in enumerate(placed / PAD):
            at = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
            if session:
                kind = "touchMove" if i else "touchStart"
                session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
            else:
                page.mouse.move(**at)
                if i == 0:
                    page.mouse.down()
            due = max(due + 1 / EVENTS_A_SECOND, time.monotonic())
            page.wait_for_timeout(max(0.0, 1000 * (due - time.monotonic())))
        if session:
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        else:
            page.mouse.up()


def waits(timing: dict[str, list[float]]) -> list[float]:
    """Return the time from each pointer event to the first response that includes it, in ms.

    One request is in progress at a time, so a response belongs to the last request before it. The
    time is infinite if no response includes the event.
    """
    answered = [
        (max((s for s in timing["sent"] if s <= read), default=-math.inf), read)
        for read in timing["read"]
    ]
    return [
        next((read for sent, read in answered if sent >= event), math.inf) - event
        for event in timing["events"]
    ]


def measure(
    browser: Browser, url: str, *, device: str, model: str, drawings: list
) -> dict[str, float]:
    """Replay the drawings on one device to one model; return the figures of a row."""
    context = browser.new_context(**DEVICES[device])
    page = context.new_page()
    page.add_init_script(TIMING)
    bodies: list[str] = []
    traffic: list = []

    def note(request) -> None:
        if "component_server" in request.url:
            traffic.append(request)
            if '"models"' in (request.post_data or ""):
                bodies.append(request.post_data)

    page.on("requestfinished", note)
    page.goto(url)
    page.get_by_test_id("model").select_option(model)
    page.wait_for_timeout(1500)
    page.evaluate(AFTER_THE_PAGE)
    latencies, requests, size, blocked, strokes = [], 0, 0, 0.0, 0
    for drawing in drawings:
        page.evaluate("for (const list of Object.values(timing)) list.length = 0")
        traffic.clear()
        replay(page, drawing["strokes"], touch=device == "phone")
        page.wait_for_timeout(600)
        timing = page.evaluate("timing")
        latencies += waits(timing)
        blocked += sum(task - 50 for task in timing["tasks"])
        requests += len(traffic)
        sizes = [request.sizes() for request in traffic]
        size += sum(s["requestBodySize"] + s["responseBodySize"] for s in sizes)
        strokes += len(drawing["strokes"])
        page.get_by_test_id("clear").click()
        page.wait_for_timeout(300)
    request = json.loads(bodies[-2])
    request["data"] = request["data"] | {"models": []}  # rejected immediately: nothing is read
    target = f"{url}/gradio_api/component_server/"
    body = json.dumps(request)
    echo = page.evaluate(ECHO, {"url": target, "body": body, "count": 100})
    context.close()
    return {
        "p50": float(np.percentile(latencies, 50)),
        "p95": float(np.percentile(latencies, 95)),
        "echo p50": float(np.percentile(echo, 50)),
        "echo p95": float(np.percentile(echo, 95)),
        "requests": requests / strokes,
        "KB": size / strokes / 1000,
        "blocked": blocked / strokes,
    }


def evenly_chosen(path: Path, count: int) -> list[dict]:
    """Return `count` drawings of a JSON Lines file, at evenly spaced lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    chosen = np.linspace(0, len(lines) - 1, min(count, len(lines))).astype(int)
    return [json.loads(lines[i]) for i in chosen]


def first_load(browser: Browser, url: str) -> tuple[float, float]:
    """Return what the page itself weighs, compressed, in KB, and s until the first reading."""
    with urllib.request.urlopen(f"{url}/config?page=") as answer:  # the first page's
        own = len(gzip.compress(answer.read())) / 1000
    page = browser.new_page()
    modules: list[Request] = []
    page.on(
        "requestfinished", lambda sent: modules.append(sent) if "/scripts/" in sent.url else None
    )
    page.add_init_script(
        "document.addEventListener('reading', () => { window.first ??= performance.now(); })"
    )
    page.goto(url)
    page.wait_for_function("window.first")
    seconds = page.evaluate("window.first") / 1000
    own += sum(module.sizes()["responseBodySize"] for module in modules) / 1000
    page.close()
    return own, seconds


def main() -> int:
    """Print the table; return 1 if a p95 is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("drawings", type=Path, help="JSON Lines of {digit, strokes}")
    parser.add_argument("--count", type=int, default=20, help="of drawings, evenly chosen (20)")
    options = parser.parse_args()
    drawings = evenly_chosen(options.drawings, options.count)
    names = ("p50", "p95", "echo p50", "echo p95", "requests", "KB", "blocked")
    print(f"{len(drawings)} drawings; ms, and requests, KB and blocked ms a stroke")
    print(f"{'':20}" + "".join(f"{name:>10}" for name in names))
    worst = 0.0
    with serve() as url, chromium() as browser:
        for device in DEVICES:
            for model in MODELS:
                row = measure(browser, url, device=device, model=model, drawings=drawings)
                worst = max(worst, row["p95"])
                print(f"{device:9}{model:11}" + "".join(f"{row[n]:10.1f}" for n in names))
        own, seconds = first_load(browser, url)
    print(f"the page's own part of the first load: {own:.0f} KB compressed")
    print(f"first reading {seconds:.2f} s after the load began")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
