"""Tests of the server around the app: health, metrics, headers and shutdown."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import expect

from app import parse
from benchmarks.browser import running
from server.responses import LOST_CALL
from tests.conftest import ROOT, ask, ask_page, post, run

SEVEN = [[[0, 0], [100, 0], [40, 150]]]


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.status, dict(answer.headers), answer.read().decode()


@pytest.fixture(scope="module")
def slow_batch(tmp_path_factory):
    """Return a function that saves a batch of pictures; reading one takes about 40 ms."""
    folder = tmp_path_factory.mktemp("slow")
    noise = np.random.default_rng(0).integers(0, 255, (70, 70), np.uint8)
    picture = Image.fromarray(noise).resize((1000, 1000), Image.Resampling.NEAREST)
    picture.save(folder / "noise.png")

    def slow_batch(count):
        path = folder / f"{count}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for i in range(count):
                archive.write(folder / "noise.png", f"{i}.png")
        return path

    return slow_batch


def metrics(port):
    """Return the metrics, by name and labels."""
    text = get(f"http://127.0.0.1:{port}/metrics")[2]
    return {
        name: float(value)
        for name, value in re.findall(r"^draw_a_digit_(\S+) (\S+)$", text, re.MULTILINE)
    }


def wait_for_calls(port, count):
    """Wait until this many calls are running or waiting."""
    while metrics(port)["queue"] < count:
        time.sleep(0.02)


def ask_until_refused(url):
    """Call until the server refuses a call or a connection; return the error."""
    while True:
        try:
            ask(url, "predict_strokes", SEVEN)
        except OSError as error:
            return error


def test_health_is_ready_when_the_models_are_loaded(app_url):
    status, _, body = get(f"{app_url}/health")
    assert status == 200
    assert json.loads(body) == {"status": "ready", "models": ["logistic", "mlp-32", "mlp-1024"]}


def test_metrics_count_readings_and_calls(free_port):
    with running("--metrics", f"127.0.0.1:{free_port}") as (url, _):
        for strokes in (SEVEN, SEVEN, []):
            ask(url, "predict_strokes", strokes, "mlp-32")
        with pytest.raises(urllib.error.HTTPError):
            ask(url, "predict_strokes", "abc")
        Client(url, verbose=False).predict(SEVEN, api_name="/explain_strokes")
        ask_page(url, "lesson-sketchpad", "read", {"strokes": SEVEN})
        figures = metrics(free_port)

    def readings(endpoint, model, verdict):
        labels = f'endpoint="{endpoint}",model="{model}",verdict="{verdict}"'
        return figures[f"readings_total{{{labels}}}"]

    assert readings("predict_strokes", "mlp-32", "digit") == 2
    assert readings("predict_strokes", "mlp-32", "blank") == 1
    assert readings("explain_strokes", "mlp-1024", "digit") == 1
    assert readings("lesson", "mlp-32", "digit") == 1
    assert 0 < figures['reading_seconds_sum{endpoint="lesson"}'] < 3
    assert figures['reading_seconds_count{endpoint="predict_strokes"}'] == 4
    assert 0 < figures['reading_seconds_sum{endpoint="predict_strokes"}'] < 3
    calls = 'call_seconds_count{{endpoint="predict_strokes",route="run",status="{}"}}'
    assert figures[calls.format(200)] == 3
    assert figures[calls.format(422)] == 1
    assert figures["queue"] == 0
    assert readings("predict_strokes", "mlp-1024", "refused") == 1


@pytest.mark.parametrize("flag", ["9100", "localhost:", "localhost:x"])
def test_an_invalid_metrics_address_is_refused(flag, capsys):
    with pytest.raises(SystemExit, match="2"):
        parse(["--metrics", flag])
    assert "is not HOST:PORT, such as 127.0.0.1:9100" in capsys.readouterr().err


def test_a_port_in_use_is_an_error(app_url):
    done = run("app.py", "--port", app_url.rpartition(":")[2])
    assert done.returncode == 1
    assert done.stderr.startswith("error: Port ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "path", ["/", "/card", "/health", "/config", "/gradio_api/info", "/nothing"]
)
def test_every_response_has_security_headers(app_url, path):
    try:
        _, headers, _ = get(app_url + path)
    except urllib.error.HTTPError as error:
        headers = dict(error.headers)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "camera=()" in headers["permissions-policy"]
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    if path not in ("/", "/card"):
        assert policy["frame-ancestors"] == "'none'"
        return
    assert "https://huggingface.co" in policy["frame-ancestors"]
    assert "unsafe-inline" not in policy["script-src"]
    assert policy["connect-src"] == "'self'"


def test_each_page_load_has_a_new_nonce(app_url):
    pages = [get(app_url) for _ in range(2)]
    nonces = [
        re.search(r"'nonce-([\w-]{20,})'", h["content-security-policy"])[1] for _, h, _ in pages
    ]
    assert nonces[0] != nonces[1]
    for (_, _, body), nonce in zip(pages, nonces, strict=True):
        assert re.findall(r"<script(?! nonce=)[\s>]", body) == []
        assert body.count(f'<script nonce="{nonce}"') > 3


def test_responses_have_no_server_header(app_url):
    for path in ("/", "/health", "/config"):
        assert "server" not in get(app_url + path)[1]


@pytest.mark.browser
@pytest.mark.parametrize("view", ["", "?view=api", "?view=settings", "?__theme=dark"])
def test_the_page_works_under_its_content_security_policy(page, app_url, view):
    messages = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(f"{app_url}/{view}")
    expect(page.get_by_test_id("answer")).to_have_class("blank")
    page.wait_for_load_state("networkidle")
    # Gradio requests two routes that are closed here, and works without them.
    assert [text for text in messages if "404" not in text] == []
    page.evaluate("""() => {
      const script = document.createElement('script');
      script.textContent = 'window.injected = true';
      document.body.append(script);
    }""")
    assert page.evaluate("window.injected") is None


def test_sigterm_finishes_running_calls_and_refuses_new_ones(slow_batch, free_port):
    batch = slow_batch(10)
    with running("--metrics", f"127.0.0.1:{free_port}") as (url, process):
        client = Client(url, verbose=False)
        uploaded = subprocess.run(
            ["curl", "-s", f"{url}/gradio_api/upload", "-F", f"files=@{batch}"],
            capture_output=True, encoding="utf-8", check=True,
        )  # fmt: skip
        file = {"path": json.loads(uploaded.stdout)[0]}
        with ThreadPoolExecutor(1) as thread:
            queued = client.submit(handle_file(batch), "mlp-32", api_name="/predict_batch")
            direct = thread.submit(ask, url, "predict_batch", file, "mlp-32")
            wait_for_calls(free_port, 2)
            process.send_signal(signal.SIGTERM)
            assert getattr(ask_until_refused(url), "code", 503) == 503
            for answer in (queued, direct):
                assert len(answer.result()["digits"]) == 10
        assert process.wait(timeout=10) == 0


def test_sigterm_ends_the_app_despite_open_pages_and_long_batches(browser, slow_batch, free_port):
    """Docker and Kubernetes kill a process that has not ended after 10 s or more."""
    with running("--metrics", f"127.0.0.1:{free_port}") as (url, process):
        page = browser.new_page()
        page.goto(url)
        expect(page.get_by_test_id("answer")).to_have_class("blank")
        client, batch = Client(url, verbose=False), handle_file(slow_batch(120))
        jobs = [client.submit(batch, api_name="/predict_batch") for _ in range(9)]
        wait_for_calls(free_port, 9)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        page.close()
    del jobs


LOCK = r"""
mount --make-rprivate / && mount -t tmpfs tmpfs "$0" && ip link set lo up || exit 9
awk '{print $5}' /proc/self/mountinfo | grep -Ev "^($0|/proc|/sys)" |
  while read -r place; do mount -o remount,ro,bind "$place" 2>/dev/null; done
mount -o remount,ro,bind / || exit 9
exec env TMPDIR="$0" HF_HOME="$0/hf" "$@"
"""


def test_clients_that_do_not_read_responses_do_not_block_others():
    """Four connections send many requests and read nothing, so the socket buffers fill."""
    body = json.dumps({"data": [SEVEN]}).encode()
    head = "POST /gradio_api/run/explain_strokes HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with running("--max-seconds", "3") as (url, _):
        host, port = url.removeprefix("http://").split(":")
        unread = [socket.socket() for _ in range(4)]
        for each in unread:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            each.connect((host, int(port)))
            each.sendall(60 * (head.encode() + body))
        time.sleep(1.5)
        for _ in range(5):
            assert ask(url, "predict_strokes", SEVEN, timeout=2)["digit"] == 7
        time.sleep(3)
        assert ask(url, "predict_strokes", SEVEN, timeout=2)["digit"] == 7
        for each in unread:
            each.close()


def test_an_unread_result_is_kept_during_other_calls(app_url):
    call = "call/predict_strokes"
    event = post(app_url, call, {"data": [SEVEN, "mlp-32"]})["event_id"]
    for _ in range(70):  # more calls than unread results are kept
        other = post(app_url, call, {"data": [SEVEN, "mlp-32"]})["event_id"]
        assert '"digit": 7' in get(f"{app_url}/gradio_api/{call}/{other}")[2]
    assert '"digit": 7' in get(f"{app_url}/gradio_api/{call}/{event}")[2]


@pytest.mark.parametrize("stream", ["call/predict/unknown", "queue/data?session_hash=unknown"])
def test_the_stream_of_an_unknown_call_says_to_send_it_again(app_url, stream):
    status, _, events = get(f"{app_url}/gradio_api/{stream}")
    assert (status, LOST_CALL in events, "404" in events) == (200, True, False)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux' /proc")
def test_sigterm_during_start_ends_the_app():
    """The first process of a container only gets signals that it has a handler for."""
    app = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, stdout=subprocess.PIPE)
    with app:
        while not handled_signals(app.pid) >> (signal.SIGTERM - 1) & 1:
            time.sleep(0.01)
        app.terminate()
        assert app.communicate(timeout=20)[0] == b""  # the address was not printed
    assert app.returncode == 0


def handled_signals(pid):
    """Return the signals that a process has a handler for, as a bit mask."""
    return int(
        re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))[1],
        16,
    )


def test_the_files_that_the_dockerfile_copies_are_sufficient(tmp_path):
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
        if line[0] == "!"
    ]
    for line in re.findall(
        r"^COPY (.*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    ):
        *sources, target = line.split()
        if sources[0].startswith("--from="):  # files of another build stage
            continue
        for source in sources:
            assert source in kept
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, tmp_path / target)
            else:
                shutil.copy(ROOT / source, tmp_path / target)
    done = subprocess.run(
        [sys.executable, "app.py", "--help"],
        cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--max-upload" in done.stdout


INSIDE = r"""
import json, os, pathlib, subprocess, sys, time, urllib.request
for place in ("/", "/var/tmp", "/dev/shm", os.path.expanduser("~"), os.getcwd()):
    try:
        pathlib.Path(place, "written").write_text("")
    except OSError:
        continue
    sys.exit(f"{place} can be written to")
app = subprocess.Popen([sys.executable, "app.py", "--port", "7860"])
for _ in range(300):
    time.sleep(0.1)
    try:
        urllib.request.urlopen("http://127.0.0.1:7860/health")
        break
    except OSError:
        pass
from gradio_client import Client, handle_file
client = Client("http://127.0.0.1:7860", verbose=False)
print(client.predict(handle_file("tests/data/seven.png"), api_name="/predict")["digit"])
app.terminate()
print(app.wait(timeout=5))
"""


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs Linux' unshare, of util-linux")
def test_the_app_runs_on_a_read_only_disk_without_network(tmp_path):
    """Everything except one folder is read-only, and only loopback is available."""
    done = subprocess.run(
        [
            *("unshare", "--map-root-user", "--mount", "--net", "bash", "-c", LOCK, str(tmp_path)),
            *(sys.executable, "-c", INSIDE),
        ],
        cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == ["7", "0"]
