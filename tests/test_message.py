"""What the server sends to the drawing page."""

import gzip
import json
import urllib.request

import pytest

from tests.conftest import ask_page
from ui.message import PARTS


def read(url, digits, **fields):
    question = {"models": ["mlp-1024"], "strokes": digits[3]["strokes"]} | fields
    [reading] = ask_page(url, "sketchpad", "read", question)["readings"]
    return reading


@pytest.mark.parametrize("parts", [[], ["layers"], ["unit", "why"], list(PARTS)])
def test_a_request_for_parts_returns_these_parts_of_the_complete_reading(app_url, digits, parts):
    complete = read(app_url, digits)
    sent = read(app_url, digits, parts=parts)
    assert set(sent) & set(PARTS) == set(parts)
    assert sent == {name: complete[name] for name in sent}


def test_a_reading_explains_the_requested_unit_as_the_unit_function_does(app_url, digits):
    place = {"layer": 0, "unit": 77}
    unit = read(app_url, digits, units=[place])["unit"]
    assert (unit["layer"], unit["unit"]) == (0, 77)
    question = {"model": "mlp-1024", "strokes": digits[3]["strokes"]} | place
    account = ask_page(app_url, "unit", "account", question)
    assert account == {name: unit[name] for name in account}


def test_responses_to_the_page_are_compressed(app_url, digits):
    with urllib.request.urlopen(f"{app_url}/config") as response:
        components = json.loads(response.read())["components"]
    [sketchpad] = [c["id"] for c in components if c["props"].get("elem_id") == "sketchpad"]
    question = {"models": ["mlp-1024"], "strokes": digits[3]["strokes"]}
    body = {"component_id": sketchpad, "fn_name": "read", "session_hash": "x", "data": question}
    headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
    url = f"{app_url}/gradio_api/component_server/"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        sent = response.read()
    [reading] = json.loads(gzip.decompress(sent))["readings"]
    assert reading == read(app_url, digits)
    assert len(sent) < 0.6 * len(json.dumps(reading))
