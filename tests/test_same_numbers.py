"""The same ink gives the same numbers on the page, through each endpoint and in Python."""

import base64
import json
import zipfile

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import expect

from model import Reader
from model.drawing import draw
from tests.conftest import ask
from tests.visitor import percent, reads
from training.synthetic.digits import sample_digit

N = 60
MODELS = ("mlp-1024", "mlp-32", "logistic")
TOLERANCE = 1e-6
# A batch is one matrix product. Some CPUs round its float32 sums otherwise than those of one image:
# logits of up to 42 differ by up to 4 ulp, 1.5e-5, and so confidences by up to a quarter of that.
BATCH_TOLERANCE = 5e-6


@pytest.fixture(scope="module")
def drawings():
    """Drawings of digits in the page's own unit, with scribbles among them."""
    rng = np.random.default_rng(6)
    found = []
    for i in range(N):
        strokes = sample_digit(i % 10, rng)
        points = np.concatenate(strokes)
        low, side = points.min(axis=0), np.ptp(points, axis=0).max()
        found.append([((s - low) / side * 200 + 40).round(1).tolist() for s in strokes])
    for i in range(0, N, 12):
        found[i] = (rng.uniform(40, 240, (2, 9, 2))).round(1).tolist()
    return found


@pytest.fixture(scope="module")
def readings(drawings):
    """What Python makes of them, each by one of the models."""
    readers = [Reader.load(name) for name in MODELS]
    return [readers[i % 3].read_strokes(strokes) for i, strokes in enumerate(drawings)]


@pytest.fixture(scope="module")
def pictures(drawings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for i, strokes in enumerate(drawings):
        ink = 255 * (1 - draw(strokes))
        Image.fromarray(ink.round().astype(np.uint8)).save(folder / f"{i:03}.png")
    return sorted(folder.iterdir())


def data_url(path):
    return {"url": "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()}


def assert_close(answer, reading):
    """Compare an endpoint's result, including the fields of an explanation, with a reading."""
    assert (answer["verdict"], answer["digit"]) == (reading.verdict, reading.digit)
    assert answer["model"] == reading.model
    same = {
        "confidence": reading.confidence,
        "probabilities": reading.probabilities,
        "not_a_digit": reading.not_a_digit,
        "logits": reading.logits,
        "not_a_digit_logit": reading.not_a_digit_logit,
        "input": reading.input,
    }
    for name in same.keys() & answer.keys():
        np.testing.assert_allclose(answer[name], same[name], rtol=0, atol=TOLERANCE, err_msg=name)
    for said, layer in zip(answer.get("layers", []), reading.layers, strict=False):
        np.testing.assert_allclose(said["activations"], layer.activations, rtol=0, atol=TOLERANCE)


def test_verdicts_of_all_kinds_are_compared(readings):
    verdicts = [reading.verdict for reading in readings]
    assert verdicts.count("digit") > 40
    assert verdicts.count("not_a_digit") > 3


@pytest.mark.parametrize("name", ["predict_strokes", "explain_strokes"])
def test_strokes_over_http(app_url, drawings, readings, name):
    for strokes, reading in zip(drawings, readings, strict=True):
        answer = ask(app_url, name, strokes, reading.model)
        assert_close(answer, reading)
        if name == "explain_strokes":
            total = np.sum(answer["strokes"], axis=1) + answer["strokes_bias"]
            np.testing.assert_allclose(total, reading.logits, atol=1e-4)
            assert np.shape(answer["strokes"]) == (10, len(strokes))


@pytest.mark.parametrize("name", ["predict", "explain"])
def test_pictures_over_http(app_url, pictures, name):
    readers = [Reader.load(model) for model in MODELS]
    for i, path in enumerate(pictures):
        reader = readers[i % 3]
        assert_close(ask(app_url, name, data_url(path), reader.name), reader.read(path))


def test_gradio_client(app_url, drawings, readings, pictures):
    client = Client(app_url, verbose=False)
    for strokes, reading in zip(drawings[::2], readings[::2], strict=True):
        assert_close(client.predict(strokes, reading.model, api_name="/predict_strokes"), reading)
    for path in pictures[::10]:
        assert_close(
            client.predict(handle_file(path), api_name="/explain"), Reader.load().read(path)
        )


@pytest.mark.parametrize("model", MODELS)
def test_batches(app_url, pictures, readings, tmp_path, model):
    reader = Reader.load(model)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in pictures:
            archive.write(path, f"drawn/{path.name}")
    images = np.stack([(255 * reading.input).round().astype(np.uint8) for reading in readings])
    np.save(tmp_path / "images.npy", images)
    np.savez_compressed(tmp_path / "images.npz", images=images.reshape(-1, 784), labels=[0])
    client = Client(app_url, verbose=False)
    for kind, inputs in (("zip", pictures), ("npy", images), ("npz", images)):
        file = handle_file(tmp_path / f"{'pictures' if kind == 'zip' else 'images'}.{kind}")
        answer = client.predict(file, model, api_name="/predict_batch")
        alone = [reader.read(each) for each in inputs]
        assert answer["digits"] == [reading.digit for reading in alone]
        assert answer["verdicts"] == [reading.verdict for reading in alone]
        confidences = [reading.confidence for reading in alone]
        np.testing.assert_allclose(answer["confidences"], confidences, rtol=0, atol=BATCH_TOLERANCE)
        names = [f"drawn/{path.name}" for path in pictures]
        assert answer["names"] == (names if kind == "zip" else None)


@pytest.mark.browser
def test_the_page(browser, app_url, drawings, readings):
    page = browser.new_page()
    page.goto(app_url)
    expect(page.get_by_test_id("answer")).to_have_class("blank")
    load = """([model, strokes]) => {
      document.querySelector('[data-testid=model]').value = model;
      const detail = { ink: { strokes, picture: null } };
      document.dispatchEvent(new CustomEvent('load', { detail }));
    }"""
    for strokes, reading in zip(drawings, readings, strict=True):

        def answers(response, strokes=strokes):
            request = response.request
            asked = json.loads(request.post_data)["data"] if reads(request) else {}
            return asked.get("strokes") == strokes

        with page.expect_response(answers) as response:
            page.evaluate(load, [reading.model, strokes])
        [told] = response.value.json()["readings"]
        logits = told.pop("logits")
        assert_close(
            {**told, "logits": logits[:10], "not_a_digit_logit": logits[10], "layers": []}, reading
        )
        said = "not a digit" if reading.verdict == "not_a_digit" else str(reading.digit)
        expect(page.get_by_test_id("answer")).to_contain_text(said)
        share = page.get_by_test_id(f"probability-{int(reading.logits.argmax())}")
        expect(share).to_contain_text(percent(float(reading.probabilities.max())))
    page.close()
