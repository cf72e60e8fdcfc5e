"""Tests of addresses: proxies, IPv4 and IPv6, and serving below a path."""

import errno
import os
import re
import socket
import urllib.request
from contextlib import nullcontext

import pytest
from gradio_client import Client
from playwright.sync_api import expect

from app import parse
from benchmarks.browser import running
from server.listen import is_loopback, listen, url_of
from server.site import Site
from tests.conftest import ask
from tests.reverse_proxy import reverse_proxy
from tests.visitor import Visitor

SEVEN = [[[0, 0], [100, 0], [40, 150]]]
BROKEN = "http://127.0.0.1:9"  # a closed port
PROXIES = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), BROKEN)
PREFIX = "/draw"


def draw_a_seven(browser, url, digits):
    """Draw a digit on the page at `url`, and wait until it is read."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    visitor = Visitor(context, url)
    visitor.draw_by_mouse(digits[7]["strokes"])
    answer = visitor.page.get_by_test_id("answer")
    expect(answer).to_have_text(re.compile(r"^\s*7"), timeout=30_000)
    assert visitor.faults == []
    return visitor


WAYS = {
    "broken proxies": ([], PROXIES | {"NO_PROXY": "", "no_proxy": ""}, "127.0.0.1"),
    "--host ::": (["--host", "::"], {}, "127.0.0.1"),
    "GRADIO_SERVER_NAME=[::]": ([], {"GRADIO_SERVER_NAME": "[::]"}, "[::1]"),
}


@pytest.mark.browser
@pytest.mark.parametrize("way", WAYS)
def test_a_digit_is_read_with(browser, digits, way):
    arguments, env, host = WAYS[way]
    with running(*arguments, env=env) as (url, _):
        visitor = draw_a_seven(browser, url.replace("127.0.0.1", host), digits)
        visitor.page.context.close()


@pytest.fixture(scope="module")
def below_a_path():
    with running(env={"GRADIO_ROOT_PATH": f"{PREFIX}/"}) as (url, _):
        yield url


@pytest.fixture(scope="module", params=["no proxy", "strips", "keeps"])
def prefixed_url(request, below_a_path):
    """Yield the app's URL below the prefix: its own, or that of a proxy."""
    with (
        nullcontext(below_a_path + PREFIX)
        if request.param == "no proxy"
        else reverse_proxy(below_a_path, prefix=PREFIX, strips=request.param == "strips")
    ) as url:
        yield url


@pytest.mark.browser
def test_the_pages_work_below_a_path(browser, digits, prefixed_url):
    visitor = draw_a_seven(browser, f"{prefixed_url}/", digits)
    page, failed = visitor.page, []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    page.get_by_role("link", name="How it works").first.click()
    expect(page).to_have_url(f"{prefixed_url}/lesson")
    expect(page.locator("#lesson-stage")).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="Model card").first.click()
    expect(page).to_have_url(f"{prefixed_url}/card?model=mlp-1024")
    page.get_by_test_id("draw-with").click()
    expect(page.get_by_test_id("probability-7")).not_to_be_empty(timeout=30_000)
    assert page.url.startswith(f"{prefixed_url}/")
    page.evaluate("document.fonts.ready")
    assert page.evaluate("[...document.fonts].some((font) => font.status === 'loaded')")
    own = [url for url in visitor.requests if not url.startswith(("data:", "blob:"))]
    assert [url for url in own if not url.startswith(f"{prefixed_url}/")] == []
    assert [url for url in failed if "/gradio_api/" not in url] == []
    page.context.close()


def test_programs_can_call_below_a_path(prefixed_url):
    client = Client(f"{prefixed_url}/", verbose=False)
    assert client.predict(SEVEN, api_name="/predict_strokes")["digit"] == 7
    assert ask(prefixed_url, "predict_strokes", SEVEN)["digit"] == 7
    for path in ("/health", "/config"):
        with urllib.request.urlopen(prefixed_url + path) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(("path", "leads_to"), [("", "/"), ("/card/", "/card")])
def test_redirects_stay_below_the_path(below_a_path, path, leads_to):
    with urllib.request.urlopen(f"{below_a_path}{PREFIX}{path}?x=1") as answer:
        assert answer.url.partition("?")[0] == f"{below_a_path}{PREFIX}{leads_to}"
        assert answer.status == 200


def test_health_is_also_served_without_the_path(below_a_path):
    with urllib.request.urlopen(f"{below_a_path}/health") as answer:
        assert answer.status == 200


HOSTS = {
    "127.0.0.1": ("127.0.0.1", ["127.0.0.1"], True),
    "0.0.0.0": ("127.0.0.1", ["127.0.0.1"], False),
    "localhost": ("127.0.0.1", ["127.0.0.1"], True),
    "::1": ("[::1]", ["::1"], True),
    "[::1]": ("[::1]", ["::1"], True),
    "::": ("127.0.0.1", ["127.0.0.1", "::1"], False),
    "[::]": ("127.0.0.1", ["127.0.0.1", "::1"], False),
}


@pytest.mark.parametrize("host", HOSTS)
def test_listen_binds_the_addresses_of_a_host(host):
    shown, reached_by, local = HOSTS[host]
    with listen(host, [0]) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://{shown}:{port}"
        assert is_loopback(listener) == local
        for address in reached_by:
            with socket.create_connection((address, port)), listener.accept()[0] as accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
def test_a_port_in_use_is_skipped(host):
    with listen(host, [0]) as first:
        taken = first.getsockname()[1]
        with listen(host, [taken, 0]) as second:
            assert second.getsockname()[1] not in (0, taken)
        with pytest.raises(OSError, match=f"Port {taken} is in use. Choose another with --port"):
            listen(host, [taken])
        with (
            listen(host, [0]) as other,
            pytest.raises(OSError, match=r"Ports \d+ to \d+ are in use"),
        ):
            listen(host, [taken, other.getsockname()[1]])


def test_a_port_in_use_on_ipv4_only_is_skipped():
    with listen("127.0.0.1", [0]) as first, listen("::", [first.getsockname()[1], 0]) as second:
        assert second.getsockname()[1] != first.getsockname()[1]


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("nowhere.invalid", "Cannot listen on nowhere.invalid, port 0: "),
        ("192.0.2.1", "Cannot listen on 192.0.2.1, port 0: "),
        ("a..b", "Cannot listen on a..b: it is not a host name."),
    ],
)
def test_a_host_of_another_machine_is_reported_in_one_line(host, says):
    with pytest.raises(OSError, match=re.escape(says)) as error:
        listen(host, [0])
    assert "\n" not in str(error.value)


def test_missing_ipv6_is_reported(monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(OSError, match=r"Cannot listen on ::, port 7860: Address family not supp"):
        listen("::")


@pytest.mark.parametrize(
    ("given", "root_path", "prefix"),
    [
        ("", "", ""),
        ("/", "", ""),
        ("/draw", "/draw", "/draw"),
        ("/a/b-c/", "/a/b-c", "/a/b-c"),
        ("https://example.com/draw", "https://example.com/draw", "/draw"),
        ("https://example.com", "https://example.com", ""),
        ("HTTPS://Example.com/Draw", "https://example.com/Draw", "/Draw"),
    ],
)
def test_a_root_path_is_parsed(given, root_path, prefix):
    assert parse(["--root-path", given]).root_path == root_path
    assert Site(root_path=root_path).prefix == prefix


@pytest.mark.parametrize(
    "given", ["draw", "//evil.example", "/a b", "/a?b", "ftp://x/draw", "/a%2f"]
)
def test_an_invalid_root_path_is_refused(given, capsys):
    with pytest.raises(SystemExit):
        parse(["--root-path", given])
    assert "is not a path such as /draw or a URL such as" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["/card", "/lesson/x", "https://example.com/gradio_api"])
def test_a_root_path_that_the_app_uses_itself_is_refused(given, capsys):
    with pytest.raises(SystemExit):
        parse(["--root-path", given])
    assert "is a path of the app itself: choose another" in capsys.readouterr().err
