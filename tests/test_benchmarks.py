"""Tests that the benchmarks run, and that their figures are plausible."""

import json
import re

import numpy as np
import pytest

from benchmarks import lesson
from benchmarks.drawings import canvas_picture
from model import Reader
from tests.conftest import needs_haproxy, needs_loopback_addresses, run


def test_drawings_on_a_canvas_are_read(digits):
    pictures = [canvas_picture(each["strokes"], 16) for each in digits]
    assert [reading.digit for reading in Reader.load().read_batch(pictures)] == list(range(10))


def test_benchmark_of_drawings_prints_a_table(digits, tmp_path):
    path = tmp_path / "drawings.jsonl"
    path.write_text(
        "\n".join(json.dumps({"writer": 1, **each}) for each in digits), encoding="utf-8"
    )
    done = run("-m", "benchmarks.drawings", str(path), "--model", "mlp-1024")
    assert done.returncode == 0, done.stderr
    [row] = re.findall(r"^all +(.*)$", done.stdout, re.MULTILINE)
    assert [float(share) >= 90 for share in row.split()] == [True] * 4


def test_accuracy_increases_with_each_stage_of_preprocessing(digits):
    shares = [by_model["mlp-1024"] for by_model in lesson.framing(digits).values()]
    assert shares == sorted(shares)
    assert shares[0] < 0.4
    assert shares[-1] >= 0.9


def test_option_only_keeps_the_other_figures(digits, tmp_path):
    path, out = tmp_path / "drawings.jsonl", tmp_path / "figures.json"
    path.write_text(
        "\n".join(json.dumps({"writer": 1, **each}) for each in digits), encoding="utf-8"
    )
    out.write_text('{"seeds": [0], "framing": {}, "ways_epochs": 15}', encoding="utf-8")
    done = run(
        "-m", "benchmarks.lesson", "--drawings", str(path), "--only", "framing", "--out", str(out)
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert [*figures.items()][::2] == [("seeds", [0]), ("ways_epochs", 15)]
    for name, share in figures["framing"]["drawn anew"].items():
        reader = Reader.load(name, device="cpu")
        right = [reader.read_strokes(d["strokes"]).logits.argmax() == d["digit"] for d in digits]
        assert share == np.mean(right)


def test_drawings_are_placed_anywhere_on_the_canvas(digits):
    rng = np.random.default_rng(0)
    pictures = [lesson.placed(digits[3]["strokes"], rng) for _ in range(100)]
    ink = [np.argwhere(picture < 128) for picture in pictures]
    sides = np.array([np.ptp(each[:, 0]) for each in ink]) - lesson.PEN  # a 3 is higher than wide
    shares = sides / lesson.CANVAS
    assert shares.min() == pytest.approx(lesson.PART[0], abs=0.05)
    assert shares.max() == pytest.approx(lesson.PART[1], abs=0.05)
    for axis in (0, 1):
        assert min(each[:, axis].min() for each in ink) < 10
        assert max(each[:, axis].max() for each in ink) > lesson.CANVAS - 10
    inside = [each for each in pictures if (each[[0, -1]] == 255).all()]
    assert len(inside) > 90  # drawings are not cut off, but some touch an edge


def test_benchmark_of_photos_prints_a_table():
    done = run("-m", "benchmarks.photos", "--count", "1")
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^(?:ballpoint|marker|on a table|empty) +(.*)$", done.stdout, re.MULTILINE)
    assert [row.split()[:4] for row in rows] == [["100"] * 4] * 4


def test_serving_compares_every_endpoint_with_an_echo():
    done = run("-m", "benchmarks.serving", "--quick")
    assert done.returncode in (0, 1), (
        done.stderr
    )  # 1: a target was missed, as may happen on a busy machine
    assert done.stderr == ""
    for way in ("gradio_client", "run", "call/v2"):
        for endpoint in ("predict", "explain", "predict_strokes", "explain_strokes"):
            rows = re.findall(rf"^{way} +{endpoint} +(.*)$", done.stdout, re.MULTILINE)
            assert [len(row.split()) for row in rows] == [6, 6]
    met = re.findall(r"^(.+?)  +[≤≥] ([\d.]+) +([\d.]+)  (met|MISSED)$", done.stdout, re.MULTILINE)
    assert len(met) == 16
    assert done.returncode == int("MISSED" in done.stdout)


@needs_haproxy
@needs_loopback_addresses
def test_replicas_are_compared_with_direct_calls():
    done = run("-m", "benchmarks.replicas", "--quick")
    assert (done.returncode, done.stderr) == (0, "")
    rows = re.findall(r"^(?:API|page) +[12] +(.*)$", done.stdout, re.MULTILINE)
    assert [len(row.split()) for row in rows] == [5] * 12
    assert all(float(row.split()[0]) > 0 for row in rows)


def test_a_flood_gets_correct_results_and_expected_refusals():
    done = run("-m", "benchmarks.flood", "--seconds", "10", "--callers", "16", "--no-page")
    assert done.stderr == ""
    assert int(re.findall(r"^(\d+) right answers a second$", done.stdout, re.MULTILINE)[0]) > 0
    for what in ("wrong answers", "answers to the wrong caller", "rejections not as documented"):
        assert re.findall(rf"^{what}: (\d+)$", done.stdout, re.MULTILINE) == ["0"], done.stdout
    assert re.findall(r"^hostile: too deep +413: \d+$", done.stdout, re.MULTILINE), done.stdout
    assert "unhandled errors: 0" in done.stdout
    assert "with status 0" in done.stdout
    assert "afterwards: 252 right answers, 0 faults" in done.stdout
