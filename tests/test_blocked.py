"""The page in browsers that block storage or return noise for a canvas, and in others."""

import base64
import io
import json
import re
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import ExifTags, Image
from playwright.sync_api import expect

from benchmarks.browser import CHROMIUM_FLAGS, DEVICES
from model import Reader
from tests.visitor import DATA, Visitor

pytestmark = pytest.mark.browser
NO_STORAGE = """for (const name of ['sessionStorage', 'localStorage']) {
  Object.defineProperty(window, name, {
    get() { throw new DOMException('Access is denied for this document.', 'SecurityError'); },
  });
}"""
NOISE = """{
  const noise = (image) => {
    for (let i = 0; i < image.data.length; i += 1) image.data[i] = 256 * Math.random();
    return image;
  };
  const brushes = CanvasRenderingContext2D.prototype;
  const canvases = HTMLCanvasElement.prototype;
  const { getImageData } = brushes;
  window.readTruly = getImageData; // for the tests
  brushes.getImageData = function (...box) { return noise(getImageData.apply(this, box)); };
  for (const name of ['toDataURL', 'toBlob']) {
    const read = canvases[name];
    canvases[name] = function (...options) {
      const copy = document.createElement('canvas');
      [copy.width, copy.height] = [this.width, this.height];
      const image = noise(new ImageData(copy.width, copy.height));
      copy.getContext('2d').putImageData(image, 0, 0);
      return read.apply(copy, options);
    };
  }
}"""


@pytest.fixture(scope="module")
def seven():
    """28 × 28 bytes of a 7, light on dark."""
    return np.asarray(Image.open(DATA / "seven.png").convert("L").resize((28, 28)))


@pytest.fixture(scope="module", params=["by a script", "by the browser's settings"])
def no_storage(request, browser, tmp_path_factory):
    """A browser context in which reading window.sessionStorage throws."""
    if request.param == "by a script":
        context = browser.new_context(**DEVICES["desktop"])
        context.add_init_script(NO_STORAGE)
        yield context
        context.close()
        return
    profile = tmp_path_factory.mktemp("profile")
    (profile / "Default").mkdir()
    settings = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (profile / "Default" / "Preferences").write_text(json.dumps(settings), encoding="utf-8")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    launch = browser.browser_type.launch_persistent_context
    context = launch(profile, executable_path=path, args=CHROMIUM_FLAGS, **DEVICES["desktop"])
    yield context
    context.close()


def test_links_and_drawing_work_without_storage(no_storage, app_url, digits, seven):
    text = base64.urlsafe_b64encode(seven.tobytes()).decode().rstrip("=")
    visitor = Visitor(no_storage, f"{app_url}#model=mlp-32")
    denied = "() => { try { return sessionStorage.length } catch (e) { return e.name } }"
    assert visitor.page.evaluate(denied) == "SecurityError"
    expect(visitor.page.get_by_test_id("model")).to_have_value("mlp-32")
    visitor.draw_by_mouse(digits[4]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("4")
    visitor.copy_link()
    link = visitor.page.url
    visitor.page.evaluate("hash => { location.hash = hash; }", f"pixels={text}")
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    visitor.page.goto("about:blank")
    visitor.page.goto(f"{app_url}#pixels={text}")
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    visitor.page.goto("about:blank")
    visitor.page.goto(link)
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("4")
    expect(visitor.page.get_by_test_id("model")).to_have_value("mlp-32")
    assert visitor.faults == []
    visitor.page.close()


def test_the_lesson_and_the_card_work_without_storage(no_storage, app_url):
    page, faults = no_storage.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{app_url}/card?model=mlp-32")
    expect(page.get_by_test_id("card")).to_have_attribute("data-model", "mlp-32")
    page.goto(f"{app_url}/lesson#training")
    expect(page.get_by_test_id("reads")).to_contain_text("reads 7", timeout=15_000)  # its example
    page.get_by_test_id("practice-train").click()
    stop = page.get_by_test_id("practice-stop")
    expect(stop).to_be_enabled(timeout=60_000)
    stop.click()
    expect(page.get_by_test_id("practice-state")).to_have_text(re.compile("^(Stopped|Done)"))
    page.close()
    assert faults == []


@pytest.fixture(scope="module")
def page_with_noise(browser, app_url):
    with visiting(browser, app_url, script=NOISE) as visitor:
        yield visitor


@pytest.fixture
def noisy(page_with_noise):
    """A visitor whose browser returns noise for every canvas, with an empty sketchpad."""
    yield from cleared(page_with_noise)


@contextmanager
def visiting(browser, url, *, script=""):
    """Open the page on the desktop, with a script that runs before the page's own."""
    context = browser.new_context(**DEVICES["desktop"])
    context.add_init_script(script)
    yield Visitor(context, url)
    context.close()


def cleared(visitor):
    """Empty the sketchpad for a test, and check afterwards that the page raised nothing."""
    clear(visitor)
    yield visitor
    assert visitor.faults == []


def clear(visitor):
    visitor.load([])
    expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")
    visitor.sent.clear()


def test_an_opened_picture_is_sent_as_it_is_where_a_canvas_returns_noise(noisy):
    data = (DATA / "seven.png").read_bytes()
    noisy.page.get_by_test_id("picture").set_input_files(DATA / "seven.png")
    expect(noisy.page.get_by_test_id("answer")).to_contain_text("7")
    noisy.check_against(Reader.load().read(DATA / "seven.png"))
    assert sent_file(noisy) == data
    with noisy.page.expect_download() as saved:
        noisy.page.get_by_test_id("save-png").click()
    assert saved.value.path().read_bytes() == data
    expect(noisy.page.get_by_test_id("status")).to_contain_text("saved as you opened it")


def test_a_large_photo_is_sent_as_it_is_where_a_canvas_returns_noise(noisy):
    photo = sheet_with_seven("JPEG", side=1600, orientation=6)
    open_file(noisy, "photo.jpg", photo)
    expect(noisy.page.get_by_test_id("answer")).to_contain_text("7")
    assert sent_file(noisy) == photo
    check_box(noisy, read="readTruly.call(brush, ")


def test_a_links_pixels_are_read_where_a_canvas_returns_noise(noisy, seven):
    text = base64.urlsafe_b64encode(seven.tobytes()).decode().rstrip("=")
    noisy.page.evaluate("hash => { location.hash = hash; }", f"pixels={text}")
    expect(noisy.page.get_by_test_id("answer")).to_contain_text("7")
    noisy.check_against(Reader.load().read(seven))


def test_a_drawing_is_saved_as_png_where_a_canvas_returns_noise(noisy, digits, tmp_path):
    noisy.draw_by_mouse(digits[3]["strokes"])
    expect(noisy.page.get_by_test_id("answer")).to_contain_text("3")
    with noisy.page.expect_download() as saved:
        noisy.page.get_by_test_id("save-png").click()
    assert Reader.load().read(saved.value.path()).digit == 3


@pytest.mark.parametrize("shade", [0, 255])
def test_ink_without_paper_is_seen_where_a_canvas_returns_noise(noisy, shade):
    """The colour of the ink is not known: the paper is grey."""
    pixels = np.zeros((100, 100, 4), np.uint8)
    pixels[20:80, 40:60] = [shade, shade, shade, 255]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    open_file(noisy, "one.png", file.getvalue())
    expect(noisy.page.get_by_test_id("answer")).not_to_have_text("nothing drawn")
    shown = Image.open(io.BytesIO(noisy.pad.screenshot())).convert("L")
    ink, paper = (shown.getpixel((shown.width * x // 100, shown.height // 3)) for x in (46, 20))
    assert (ink, paper) == (pytest.approx(shade, abs=2), pytest.approx(0x88, abs=2))


SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="280" height="280">
<path d="M80 60H200L120 220" fill="none" stroke="#000" stroke-width="18"/></svg>"""


@pytest.mark.parametrize("name", ["seven.svg", "large.png"])
def test_a_picture_that_the_page_would_have_to_convert_is_refused_where_it_cannot(noisy, name):
    """The server reads no SVG and takes 6 MB: the page tells so, and sends no noise."""
    large = (DATA / "seven.png").read_bytes() + bytes(4_000_000)
    open_file(noisy, name, SVG.encode() if name.endswith("svg") else large)
    status = noisy.page.get_by_test_id("status")
    expect(status).to_contain_text("does not let pages convert pictures: open a PNG or JPEG")
    assert noisy.sent == []


@pytest.fixture(scope="module")
def page_as_usual(browser, app_url):
    with visiting(browser, app_url) as visitor:
        yield visitor


@pytest.fixture
def usual(page_as_usual):
    """A visitor whose browser blocks nothing, with an empty sketchpad."""
    yield from cleared(page_as_usual)


@pytest.mark.parametrize(
    ("kind", "side", "orientation", "as_is"),
    [
        ("JPEG", 280, 6, True),
        ("PNG", 280, 6, True),
        ("WEBP", 280, None, True),
        ("GIF", 280, None, True),
        ("BMP", 280, None, True),
        ("WEBP", 280, 6, False),  # browsers ignore its EXIF, and the server does not
        ("AVIF", 280, 6, False),  # the server does not read it
        ("TIFF", 280, None, None),  # Chromium does not, either
        ("JPEG", 1600, 6, False),  # larger than what is read of it
    ],
)
def test_the_page_shows_an_opened_file_as_the_server_reads_it(
    usual, kind, side, orientation, as_is
):
    data = sheet_with_seven(kind, side=side, orientation=orientation)
    open_file(usual, f"digit.{kind.lower()}", data)
    if as_is is None:
        expect(usual.page.get_by_test_id("status")).to_contain_text("not a picture")
        return
    expect(usual.page.get_by_test_id("answer")).not_to_have_text("nothing drawn")
    assert (sent_file(usual) == data) == as_is
    if as_is:
        usual.check_against(Reader.load().read(io.BytesIO(data)))
    check_box(usual)


def test_an_svg_is_read(usual):
    open_file(usual, "seven.svg", SVG.encode())
    expect(usual.page.get_by_test_id("answer")).to_contain_text("7")
    assert sent_file(usual).startswith(b"\x89PNG")


def test_a_saved_png_shows_the_drawing(usual):
    """Compare with the canvas: lines of each slope, a dot, a pen whose width changes."""
    strokes = [
        [[30, 30], [120, 30], [30, 140], [30, 200]],
        [[200, 60]],
        [[150, 200, 0.5], [200, 240, 2], [260, 180, 1]],
        [[270, 10], [300, 40]],  # it leaves the sheet
    ]
    usual.load(strokes)
    expect(usual.page.get_by_test_id("answer")).not_to_have_text("nothing drawn")
    shown = usual.pad.evaluate(
        """pad => {
          const sheet = new OffscreenCanvas(560, 560).getContext('2d');
          sheet.fillStyle = '#fff';
          sheet.fillRect(0, 0, 560, 560);
          sheet.drawImage(pad, 0, 0, 560, 560);
          return [...sheet.getImageData(0, 0, 560, 560).data.filter((_, i) => i % 4 === 0)];
        }"""
    )
    with usual.page.expect_download() as saved:
        usual.page.get_by_test_id("save-png").click()
    with Image.open(saved.value.path()) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (560, 560))
        pixels = np.asarray(image, float)
    shown = np.reshape(shown, pixels.shape)
    assert ((pixels > 128) == (shown > 140)).mean() > 0.99
    assert np.abs(pixels - shown).mean() < 6


def open_file(visitor, name, data):
    file = {"name": name, "mimeType": "", "buffer": data}
    visitor.page.get_by_test_id("picture").set_input_files(file)


def sent_file(visitor):
    """Return the bytes of the picture that the page last sent."""
    return base64.b64decode(visitor.sent[-1]["picture"].partition(",")[2])


def sheet_with_seven(kind, *, side, orientation):
    """Return a file with a 7 in a corner of wide paper, stored as its EXIF orientation says."""
    sheet = Image.new("RGB", (side, side * 3 // 4), "white")
    with Image.open(DATA / "seven.png") as image:
        sheet.paste(image.resize((side // 2, side // 2)), (side // 8, side // 16))
    options = {}
    if orientation:
        sheet = sheet.transpose(Image.Transpose.ROTATE_90)
        options["exif"] = Image.Exif()
        options["exif"][ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    sheet.save(file, kind, **options)
    return file.getvalue()


EDGES = """(canvas, dark) => {
  const { width, height } = canvas;
  const brush = canvas.getContext('2d');
  const { data } = READ(0, 0, width, height);
  const edges = [width, height, 0, 0];
  for (let i = 0; i < width * height; i += 1) {
    if (data[4 * i + 3] < 128 || (dark && data[4 * i] > 128)) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    edges[0] = Math.min(edges[0], x);
    edges[1] = Math.min(edges[1], y);
    edges[2] = Math.max(edges[2], x);
    edges[3] = Math.max(edges[3], y);
  }
  return edges;
}"""


def check_box(visitor, *, read="brush.getImageData("):
    """The dashed box that the server measured lies around the ink that the page shows."""
    script = EDGES.replace("READ(", read)
    box = visitor.page.locator("#sketchpad .over").evaluate(script, False)
    assert box == pytest.approx(visitor.pad.evaluate(script, True), abs=5)
