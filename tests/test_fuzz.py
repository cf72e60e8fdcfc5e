"""Property tests: random values, bytes and damaged files, to each endpoint by each route.

Each request gets a result or a 4xx error, without details of the server.
"""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.picture import PictureError
from model.preprocess import preprocess
from tests.hostile.batches import blank, saved, savedz, zipped
from tests.hostile.caller import data_url
from tests.hostile.pictures import exif_jpeg, frames, png, seven, tiff
from tests.hostile.server import attacked

FUZZ = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,  # the same examples in each run, so that a failure is due to a change
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PICTURES = [
    seven(), seven(mode="P"), seven(mode="RGBA"), seven("JPEG"), seven("JPEG", progressive=True),
    exif_jpeg((0x0112, 3, 1, 6)), seven("GIF"), frames("GIF", 3), seven("WEBP"),
    seven("WEBP", "RGBA", lossless=True), seven("BMP"), seven("TIFF"), tiff(), frames("PNG", 3),
    seven("TIFF", compression="tiff_lzw"), seven("TIFF", "LAB"), seven(mode="I;16"),
]  # fmt: skip
BATCHES = [
    saved(blank(2)),
    savedz(images=blank(2)),
    zipped(("a.png", png()), ("b/c.gif", seven("GIF"))),
]
PLAUSIBLE = st.sampled_from([
    "mlp-32", "image", "path", "url", "meta", "_type", "gradio.FileData", "data:image/png;base64,",
    data_url(seven()), {"path": "/etc/passwd"}, [[[1, 2], [3, 4]]], [[[1, 2, 1]]], [], 0, 1, -1,
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | PLAUSIBLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["path", "url", "meta", "is_stream"]) | st.text(), inner)
    ),
    max_leaves=12,
)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.booleans() | st.none() | st.just("1")
DRAWINGS = st.lists(st.lists(st.lists(NUMBERS, max_size=4), max_size=5), max_size=5)
ENDPOINTS = {"predict": "image", "explain": "image", "predict_batch": "file",
             "predict_strokes": "strokes", "explain_strokes": "strokes"}  # fmt: skip
QUESTIONS = st.fixed_dictionaries({}, optional={
    "models": VALUES | st.just(["mlp-32"]), "model": VALUES | st.just("mlp-32"),
    "strokes": VALUES | DRAWINGS, "picture": VALUES, "chosen": VALUES, "against": VALUES,
    "layer": VALUES | st.just(0), "unit": VALUES, "units": VALUES,
})  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with attacked(tmp_path_factory.mktemp("fuzz")) as server:
        server.new_log()
        yield server


@pytest.fixture(autouse=True)
def check_server_after_test(request, digits):
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        server.assert_reads(digits[3]["strokes"])
        assert "Traceback" not in (log := server.new_log()), log[-3_000:]


def assert_valid(server, answer):
    assert answer.status == 200 or 400 <= answer.status < 500, answer
    assert server.leak(answer) is None


@st.composite
def damaged(draw, files):
    """Draw one of the files, with bytes changed, removed, repeated or cut off."""
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)) | st.integers(0, min(80, len(data))))
        match draw(st.integers(0, 4)):
            case 0:
                data[at : at + 1] = draw(st.sampled_from([b"\0", b"\xff", b"\x7f", b"\x80", b"\1"]))
            case 1:
                data[at : at + 4] = draw(st.binary(min_size=4, max_size=4))
            case 2:
                del data[at : at + draw(st.integers(1, 40))]
            case 3:
                data[at:at] = data[at : at + draw(st.integers(1, 200))]
            case 4:
                del data[at + 8 :]
    return bytes(data)


@pytest.mark.parametrize("route", ["run", "call", "join"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@FUZZ
@given(arguments=st.tuples(VALUES | DRAWINGS, VALUES | st.just("mlp-32")) | st.lists(VALUES))
def test_random_arguments_get_a_valid_response(server, endpoint, route, arguments):
    assert_valid(server, getattr(server.caller, route)(endpoint, *arguments))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@FUZZ
@given(first=VALUES | DRAWINGS, model=VALUES, more=st.dictionaries(st.text(), VALUES, max_size=1))
def test_random_named_arguments_get_a_valid_response(server, endpoint, first, model, more):
    named = {ENDPOINTS[endpoint]: first, "model": model, **more}
    assert_valid(server, server.caller.post(f"call/v2/{endpoint}", named))


@pytest.mark.parametrize(("part", "function"), [
    ("sketchpad", "read"), ("unit", "account"), ("network", "tiles"),
])  # fmt: skip
@FUZZ
@given(question=QUESTIONS | VALUES)
def test_random_requests_of_the_page_get_a_valid_response(server, part, function, question):
    assert_valid(server, server.caller.page(part, function, question))


@pytest.mark.parametrize("call", ["run/predict", "call/predict", "call/v2/predict", "queue/join",
                                  "component_server/", "cancel", "upload"])  # fmt: skip
@FUZZ
@given(body=st.binary(max_size=200) | VALUES | st.dictionaries(
    st.sampled_from(["data", "fn_index", "session_hash", "component_id", "fn_name", "event_id",
                     "trigger_id", "event_data", "batched", "simple_format"]), VALUES,
))  # fmt: skip
def test_random_bodies_get_a_valid_response(server, call, body):
    assert_valid(server, server.caller.post(call, body))


@settings(FUZZ, max_examples=150)
@given(data=damaged(PICTURES))
def test_damaged_pictures_get_a_valid_response(server, data):
    assert_valid(server, server.caller.run("predict", server.caller.uploaded(data), "mlp-32"))


@settings(FUZZ, max_examples=150)
@given(data=damaged(BATCHES))
def test_damaged_batches_get_a_valid_response(server, data):
    assert_valid(server, server.caller.run("predict_batch", server.caller.uploaded(data), "mlp-32"))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns about truncated files
@settings(FUZZ, max_examples=600)
@given(data=damaged(PICTURES))
def test_a_damaged_picture_is_read_or_refused(data):
    try:
        read = preprocess(io.BytesIO(data))
    except PictureError:
        return
    assert read.image.shape == (28, 28)
    assert np.isfinite(read.image).all()
