"""Tests of the API on a real server, through gradio_client and plain HTTP."""

import base64
import json
import re
import time
import urllib.error
import urllib.request
import zipfile
from contextlib import suppress
from typing import get_args
from urllib.parse import quote

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from benchmarks.flood.questions import prediction
from model import PictureError, Reader
from model.checkpoint import save
from model.components import Kind
from model.drawing import draw
from model.mlp import MLP
from tests.conftest import ask, post, serve
from ui.api import _info, picture_file

NUMBER = {"type": "number"}
NUMBERS = {"type": "array", "items": NUMBER}
ROWS = {"type": "array", "items": NUMBERS}
NAMES = {"type": "array", "items": {"type": "string"}}
FIELDS = {"verdict", "digit", "confidence", "probabilities", "not_a_digit", "model"}


@pytest.fixture(scope="module")
def client(app_url):
    return Client(app_url, verbose=False)


@pytest.fixture(scope="module")
def seven(tmp_path_factory, digits):
    path = tmp_path_factory.mktemp("drawings") / "seven.png"
    ink = draw(digits[7]["strokes"])
    Image.fromarray((255 * (1 - ink)).round().astype(np.uint8)).save(path)
    return path


@pytest.mark.parametrize("model", ["logistic", "mlp-32", "mlp-1024"])
def test_predict_returns_the_reading(client, seven, model):
    answer = client.predict(handle_file(seven), model, api_name="/predict")
    assert answer == prediction(Reader.load(model).read(seven))
    assert answer.keys() == FIELDS
    assert answer["digit"] == 7


def test_predict_strokes_returns_the_reading_of_mlp_1024_by_default(client, digits):
    for each in digits:
        answer = client.predict(each["strokes"], api_name="/predict_strokes")
        assert answer == prediction(Reader.load().read_strokes(each["strokes"]))
        assert answer["model"] == "mlp-1024"


@pytest.mark.parametrize("model", ["logistic", "mlp-32", "mlp-1024"])
def test_explain_returns_contributions_that_sum_to_the_logits(client, seven, model):
    answer = client.predict(handle_file(seven), model, api_name="/explain")
    reading = Reader.load(model).read(seven)
    total = np.sum(answer["contributions"], axis=1) + answer["bias"]
    np.testing.assert_allclose(total, answer["logits"], atol=1e-4)
    rejection = np.sum(answer["not_a_digit_contributions"]) + answer["not_a_digit_bias"]
    assert rejection == pytest.approx(answer["not_a_digit_logit"], abs=1e-4)
    assert answer["not_a_digit_logit"] == reading.not_a_digit_logit
    assert answer["logits"] == reading.logits.tolist()
    assert answer["input"] == reading.input.tolist()
    assert len(answer["layers"]) == len(reading.layers)
    for found, layer in zip(answer["layers"], reading.layers, strict=True):
        assert found["pre_activations"] == layer.pre_activations.tolist()
        assert found["activations"] == layer.activations.tolist()
    n_terms = {"logistic": 784, "mlp-32": 32, "mlp-1024": 1024}[model]
    assert np.shape(answer["contributions"]) == (10, n_terms)
    assert answer.keys() > FIELDS


def test_models_lists_the_shipped_models(client):
    models = {each["name"]: each for each in client.predict(api_name="/models")}
    assert list(models) == ["logistic", "mlp-32", "mlp-1024"]
    assert models["mlp-32"]["hidden_sizes"] == [32]
    assert models["mlp-32"]["parameters"] == 784 * 32 + 32 + 32 * 11 + 11
    measured = Reader.load("mlp-32").evaluation["test"]["accuracy"]["value"]
    assert models["mlp-32"]["test_accuracy"] == measured
    assert models["mlp-32"]["revision"] is None


INVALID_SHARES = [
    "<b>",
    None,
    True,
    [],
    {},
    [0.5],
    -0.1,
    1.1,
    10**400,
    "NaN",
    "Infinity",
    "-Infinity",
]


@pytest.mark.parametrize("value", INVALID_SHARES, ids=str)
def test_invalid_figures_of_a_checkpoint_become_null(tmp_path, value):
    save(tmp_path, MLP((4,)), name="other")
    for name, figures in (
        ("results.json", {"val_accuracy": value}),
        ("evaluation.json", {"test": {"accuracy": {"value": value}}}),
    ):
        text = json.dumps(figures)
        if str(value).endswith(("NaN", "Infinity")):  # not JSON, but accepted by Python
            text = text.replace(f'"{value}"', value)
        (tmp_path / name).write_text(text, encoding="utf-8")
    info = _info(Reader.load(tmp_path, device="cpu"))
    assert info["val_accuracy"] is None
    assert info["test_accuracy"] is None
    assert json.loads(json.dumps(info, allow_nan=False)) == info


@pytest.mark.parametrize("evaluation", [{}, {"test": []}, {"test": {"accuracy": 0.5}}])
def test_missing_figures_become_null(tmp_path, evaluation):
    save(tmp_path, MLP((4,)), name="other")
    (tmp_path / "results.json").write_text('{"val_accuracy": 1}', encoding="utf-8")
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    info = _info(Reader.load(tmp_path, device="cpu"))
    assert (info["val_accuracy"], info["test_accuracy"]) == (1, None)


def base64s(data):
    """Return data URLs in the variants of base64 that common tools write, by name."""
    plain = base64.b64encode(data).decode()
    url_safe = base64.urlsafe_b64encode(data).decode()
    return {
        "Python's": f"data:image/png;base64,{plain}",
        "MIME's lines": f"data:image/png;base64,\r\n{base64.encodebytes(data).decode()}",
        "lines of Windows": "data:image/png;base64," + plain.replace("A", "A\r\n\t "),
        "without padding": f"data:image/png;base64,{plain.rstrip('=')}",
        "URL-safe": f"data:image/png;base64,{url_safe}",
        "URL-safe without padding": f"data:image/png;base64,{url_safe.rstrip('=')}",
        "percent-encoded": f"data:image/png;base64,{quote(plain, safe='')}",
        "percent-encoded in lower case": (
            f"data:image/png;base64,{re.sub('%..', lambda m: m[0].lower(), quote(plain, safe=''))}"
        ),
        "of an unknown type": f"data:application/octet-stream;base64,{plain}",
        "of no type": f"data:;base64,{plain}",
        "in capitals": f"DATA:IMAGE/PNG;BASE64,{plain}",
        "with a charset": f"data:image/png;charset=utf-8;base64,{plain}",
        "with a name": f"data:image/png;name=seven.png;base64,{plain}",
        "with a space": f"data:image/png; base64,{plain}",
    }


@pytest.mark.parametrize("name", base64s(b""))
def test_base64_of_common_tools_is_accepted(name, seven):
    for n in range(3):  # two, one and no padding characters
        data = (
            seven.read_bytes() + bytes(n) + b"\xff\xfe\xfb" * 9
        )  # contains - and _ in URL-safe base64
        assert picture_file({"url": base64s(data)[name]}) == data


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,AAAAA",
        "data:image/png;base64,AA=AAA",
        "data:image/png;base64,iVBOR*",
        "data:image/png;base64,%89PNG",
        "data:image/png,%89PNG",
        "data:image/png",
        "data:",
    ],
)
def test_invalid_base64_is_refused_with_advice(url):
    with pytest.raises(PictureError, match="is not base64: send data:image/png;base64, followed"):
        picture_file({"url": url})


@pytest.mark.parametrize("text", ["A ", "\n", "%", "%2B", "=", "?", "-_", ";base64", ","])
def test_six_megabytes_of_base64_take_linear_time(text):
    def seconds(size):
        url = "data:image/png;base64," + text * (size // len(text))
        started = time.process_time()
        with suppress(PictureError):
            picture_file({"url": url})
        return time.process_time() - started

    assert seconds(6_000_000) < 40 * max(seconds(600_000), 0.01)  # quadratic: 100 times


def test_base64_with_line_breaks_is_read_over_http(app_url, client, seven):
    lines = base64.encodebytes(seven.read_bytes()).decode()
    answer = ask(app_url, "predict", {"url": f"DATA:;BASE64,{lines}"})
    assert answer == client.predict(handle_file(seven), api_name="/predict")


def test_plain_http_and_the_client_give_the_same_result(app_url, client, seven, digits):
    url = "data:image/png;base64," + base64.b64encode(seven.read_bytes()).decode()
    [answer] = post(app_url, "run/predict", {"data": [{"url": url}, None]})["data"]
    assert answer == client.predict(handle_file(seven), api_name="/predict")
    body = {"strokes": digits[3]["strokes"], "model": "mlp-32"}
    event = post(app_url, "call/v2/predict_strokes", body)["event_id"]
    stream = f"{app_url}/gradio_api/call/predict_strokes/{event}"
    with urllib.request.urlopen(stream, timeout=30) as lines:
        data = next(line for line in lines if line.startswith(b"data:"))
    [answer] = json.loads(data.removeprefix(b"data:"))
    assert answer == client.predict(digits[3]["strokes"], "mlp-32", api_name="/predict_strokes")


PREDICTION = {
    "verdict": {"enum": ["digit", "not_a_digit", "blank"]},
    "digit": {"oneOf": [{"type": "null"}, {"type": "integer"}]},
    "confidence": NUMBER,
    "probabilities": {"oneOf": [{"type": "null"}, NUMBERS]},
    "not_a_digit": NUMBER,
    "model": {"type": "string"},
}
EXPLANATION = PREDICTION | {
    "input": ROWS,
    "removed": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"kind": {"enum": [*get_args(Kind)]}, "box": NUMBERS},
            "required": ["kind", "box"],
        },
    },
    "layers": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"pre_activations": NUMBERS, "activations": NUMBERS},
            "required": ["pre_activations", "activations"],
        },
    },
    "logits": NUMBERS,
    "contributions": ROWS,
    "bias": NUMBERS,
    "not_a_digit_logit": NUMBER,
    "not_a_digit_contributions": NUMBERS,
    "not_a_digit_bias": NUMBER,
}
CONTRACT = {
    "predict": ("image", PREDICTION),
    "predict_strokes": ("strokes", PREDICTION),
    "explain": ("image", EXPLANATION),
    "explain_strokes": (
        "strokes",
        EXPLANATION
        | {
            "strokes": ROWS,
            "strokes_bias": NUMBERS,
            "not_a_digit_strokes": NUMBERS,
            "not_a_digit_strokes_bias": NUMBER,
        },
    ),
    "predict_batch": (
        "file",
        {
            "digits": {"type": "array", "items": PREDICTION["digit"]},
            "confidences": NUMBERS,
            "verdicts": {"type": "array", "items": PREDICTION["verdict"]},
            "names": {"oneOf": [{"type": "null"}, NAMES]},
            "model": {"type": "string"},
        },
    ),
}


@pytest.mark.parametrize("name", CONTRACT)
def test_view_api_and_openapi_describe_the_contract(app_url, client, name):
    takes, gives = CONTRACT[name]
    endpoint = client.view_api(return_format="dict")["named_endpoints"][f"/{name}"]
    first, second = endpoint["parameters"]
    assert (first["parameter_name"], first["parameter_has_default"]) == (takes, False)
    assert (second["parameter_name"], second["parameter_default"]) == ("model", "mlp-1024")
    assert "one of logistic, mlp-32, mlp-1024" in second["label"]
    [returned] = endpoint["returns"]
    assert returned["type"]["properties"] == gives
    assert returned["type"]["required"] == list(gives)
    url = f"{app_url}/gradio_api/openapi.json"
    paths = json.loads(urllib.request.urlopen(url, timeout=30).read())["paths"]
    call = paths[f"/gradio_api/call/v2/{name}"]["post"]
    schema = call["requestBody"]["content"]["application/json"]["schema"]
    assert list(schema["properties"]) == [takes, "model"]
    assert all(f"'{field}'" in call["description"] for field in gives)
    assert f"/gradio_api/call/{name}/{{event_id}}" in paths


def test_there_are_no_other_endpoints(client):
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == [
        *("/predict", "/predict_strokes", "/explain", "/explain_strokes", "/models"),
        "/predict_batch",
    ]
    assert client.view_api(return_format="dict")["unnamed_endpoints"] == {}


@pytest.mark.parametrize("call", ["run/predict_strokes", "call/predict_strokes"])
def test_the_model_is_optional(app_url, digits, call):
    answer = post(app_url, call, {"data": [digits[4]["strokes"]]})
    if "event_id" in answer:
        url = f"{app_url}/gradio_api/{call}/{answer['event_id']}"
        lines = urllib.request.urlopen(url, timeout=30).read().decode().splitlines()
        answer = {"data": json.loads(next(x for x in lines if x.startswith("data:"))[5:])}
    assert answer["data"][0] == prediction(Reader.load().read_strokes(digits[4]["strokes"]))


@pytest.mark.parametrize("model", ["logistic", "mlp-1024"])
def test_explain_strokes_returns_contributions_that_sum_to_the_logits(client, digits, model):
    strokes = [*digits[4]["strokes"], [], [[140, 140]]]
    answer = client.predict(strokes, model, api_name="/explain_strokes")
    reading = Reader.load(model).read_strokes(strokes)
    assert answer["logits"] == reading.logits.tolist()
    assert np.shape(answer["strokes"]) == (10, len(strokes))
    total = np.sum(answer["strokes"], axis=1) + answer["strokes_bias"]
    np.testing.assert_allclose(total, answer["logits"], atol=1e-4)
    rejection = np.sum(answer["not_a_digit_strokes"]) + answer["not_a_digit_strokes_bias"]
    assert rejection == pytest.approx(answer["not_a_digit_logit"], abs=1e-4)
    empty = np.array(answer["strokes"])[:, -2]
    assert not empty.any()


def test_a_batch_reports_its_progress(client, mnist, tmp_path):
    np.save(tmp_path / "many.npy", np.resize(mnist[0], (10_000, 28, 28)))
    job = client.submit(handle_file(tmp_path / "many.npy"), api_name="/predict_batch")
    updates = set()
    while not job.done():
        for unit in job.status().progress_data or []:
            updates.add((unit.index, unit.length, unit.unit))
        time.sleep(0.005)
    assert len(job.result()["digits"]) == 10_000
    assert updates
    assert all(length == 10_000 and unit == "pictures" for _, length, unit in updates)


def test_a_batch_error_names_the_invalid_file(client, seven, tmp_path):
    with zipfile.ZipFile(tmp_path / "mixed.zip", "w") as archive:
        archive.write(seven, "a/seven.png")
        archive.writestr("__MACOSX/a/._seven.png", b"resource fork")
        archive.writestr("a/notes.txt", b"not a picture")
    with pytest.raises(AppError, match=r"'a/notes.txt' in the .zip: The file is not a picture"):
        client.predict(handle_file(tmp_path / "mixed.zip"), api_name="/predict_batch")


def test_a_blank_input_has_the_verdict_blank(client, tmp_path):
    Image.new("L", (280, 280), 255).save(tmp_path / "blank.png")
    for answer in (
        client.predict(handle_file(tmp_path / "blank.png"), api_name="/predict"),
        client.predict([], api_name="/predict_strokes"),
    ):
        assert (answer["verdict"], answer["digit"]) == ("blank", None)
        assert answer["probabilities"] is None


@pytest.mark.parametrize(
    ("endpoint", "arguments", "message"),
    [
        ("/predict_strokes", ["abc"], "Got str; strokes are"),
        ("/explain_strokes", [[[[0, 0]]] * 1_001], "at most 1000 are read"),
        ("/predict_strokes", [[], "gpt"], "choose from: logistic, mlp-32, mlp-1024"),
        ("/predict", ["seven.png"], "Send the picture as a file"),
        ("/predict", [{"url": "data:image/png;base64,????"}], "The data URL is not base64"),
        ("/explain", [{"path": "model/../screenshot.png"}], "was not uploaded, or was deleted"),
    ],
)
def test_an_invalid_call_gets_an_error_with_advice(client, endpoint, arguments, message):
    with pytest.raises(AppError, match=message):
        client.predict(*arguments, api_name=endpoint)


def test_a_file_that_was_not_uploaded_is_not_read(app_url, seven):
    for extra in ({}, {"meta": {"_type": "gradio.FileData"}}):
        body = {"data": [{"path": str(seven), **extra}, "mlp-32"]}
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(app_url, "run/predict", body)
        answer = refused.value.read().decode()
        assert "probabilities" not in answer
        assert "Traceback" not in answer


def test_environment_variables_set_host_and_port():
    env = {"GRADIO_SERVER_NAME": "127.0.0.2"}
    with serve(host="127.0.0.2", by_environment=True, env=env) as url:
        answer = Client(url, verbose=False).predict([], api_name="/predict_strokes")
    assert answer["verdict"] == "blank"


def test_a_model_with_the_name_of_a_shipped_one_is_served_as_yours(tmp_path):
    save(tmp_path / "net", MLP((4,)), name="mlp-32")
    with serve("--model", str(tmp_path / "net")) as url:
        client = Client(url, verbose=False)
        sizes = {each["name"]: each["hidden_sizes"] for each in client.predict(api_name="/models")}
        answer = client.predict([[[0, 0], [9, 9]]], api_name="/predict_strokes")
    assert sizes["mlp-32"] == [32]
    assert sizes["mlp-32-yours"] == [4]
    assert answer["model"] == "mlp-32-yours"
