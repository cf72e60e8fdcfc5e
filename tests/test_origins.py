"""Tests of cross-origin calls, host names, content types and frames."""

import json
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from starlette.datastructures import Headers

from app import parse
from benchmarks.browser import running
from server.errors import RequestError
from server.site import Site
from tests.hostile.caller import API, JSON, Caller, form
from tests.reverse_proxy import static_site

EVIL = "https://evil.example"
SEVEN = {"data": [[[[0, 0], [100, 0], [40, 150]]]]}
BODY = json.dumps(SEVEN).encode()
POSTS = ("run/predict_strokes", "api/predict_strokes", "call/predict_strokes", "upload",
         "call/v2/predict_strokes", "queue/join", "component_server/", "cancel")  # fmt: skip
STREAMS = ("heartbeat/x", "queue/data?session_hash=x", "call/predict_strokes/x")


@pytest.fixture(scope="module")
def caller(app_url):
    return Caller(app_url)


@pytest.fixture(scope="module")
def place(app_url):
    """Return the server's host and port."""
    return urlsplit(app_url).netloc


def assert_refused(answer):
    assert answer.status == 403, answer
    assert "--allow-origin" in answer.json["error"]
    assert answer.json["detail"] == answer.json["error"]
    assert "access-control" not in answer.headers


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}])
def test_posts_from_other_sites_are_refused(caller, route, headers):
    assert_refused(caller.post(route, BODY, headers | {"Content-Type": "text/plain"}))
    assert_refused(caller.post(route, BODY, headers | JSON))


@pytest.mark.parametrize("route", STREAMS)
@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Sec-Fetch-Site": "same-site"}])
def test_streams_from_other_sites_are_refused(caller, route, headers):
    assert_refused(caller.request("GET", f"{API}/{route}", None, headers))


@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://127.0.0.1", "http://127.0.0.1:1", "http://localhost:{port}",
     "http://127.0.0.1.evil.example:{port}", "http://[::1", "http://", "127.0.0.1:{port}"],
)  # fmt: skip
def test_similar_origins_are_refused(caller, app_url, origin):
    headers = JSON | {"Origin": origin.format(port=urlsplit(app_url).port)}
    assert_refused(caller.post("run/predict_strokes", BODY, headers))


def test_own_pages_and_programs_may_call(caller, app_url):
    for headers in ({}, {"Origin": app_url}, {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"}):
        answer = caller.post("run/predict_strokes", BODY, JSON | headers)
        assert answer.json["data"][0]["digit"] == 7


def test_links_from_other_sites_open_the_pages(caller):
    headers = {"Sec-Fetch-Site": "cross-site", "Referer": EVIL}
    for path in ("/", "/card", "/lesson"):
        assert caller.request("GET", path, None, headers).status == 200


def test_other_sites_get_no_cors_headers(caller):
    for path in ("/", "/config", f"{API}/info"):
        answer = caller.request("GET", path, None, {"Origin": EVIL})
        assert answer.status == 200
        assert "access-control" not in answer.headers
    asks = {"Origin": EVIL, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type"}  # fmt: skip
    answer = caller.request("OPTIONS", f"{API}/run/predict_strokes", None, asks)
    assert answer.status == 400
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/config", "/health", f"{API}/run/predict_strokes"])
def test_other_host_names_are_refused_on_loopback(caller, path):
    method = "POST" if "run" in path else "GET"
    headers = JSON | {"Host": "evil.example:7860", "Origin": "http://evil.example:7860"}
    answer = caller.request(method, path, BODY if "run" in path else None, headers)
    assert answer.status == 403
    assert "listens on this machine only, not as 'evil.example:7860'" in answer.json["error"]


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1", "192.0.2.1:80", "[::1]:{port}"])
def test_localhost_and_ip_addresses_are_accepted(caller, app_url, host):
    headers = {"Host": host.format(port=urlsplit(app_url).port)}
    assert caller.request("GET", "/health", None, headers).status == 200


PUBLIC = "draw.example"
OWN = [
    (Site(), {"Host": PUBLIC, "Origin": f"https://{PUBLIC}"}),
    (Site(), {"Host": f"{PUBLIC}:443", "Origin": f"https://{PUBLIC}"}),
    (Site(), {"Host": f"{PUBLIC}:8443", "Origin": f"https://{PUBLIC}:8443"}),
    (Site(), {"Host": "[2001:db8::1]:7860", "Origin": "http://[2001:db8::1]:7860"}),
    (Site(), {"Host": "me-draw.hf.space", "Origin": "https://me-draw.hf.space"}),
    (Site(), {"Host": "127.0.0.1:7860", "X-Forwarded-Host": f"{PUBLIC}, x",
              "Origin": f"https://{PUBLIC}"}),
    (Site(), {"Host": "127.0.0.1:7860", "Sec-Fetch-Site": "same-origin",
              "Origin": f"https://{PUBLIC}"}),
    (Site(root_path=f"https://{PUBLIC}/draw"), {"Host": "127.0.0.1:7860",
                                                "Origin": f"https://{PUBLIC}"}),
    (Site(allow_origins=(EVIL,)), {"Host": PUBLIC, "Origin": EVIL, "Sec-Fetch-Site": "cross-site"}),
]  # fmt: skip
OTHER = [
    (Site(), {"Host": f"{PUBLIC}:8443", "Origin": f"https://{PUBLIC}"}),
    (Site(), {"Host": "me-draw.hf.space", "Origin": "https://other-draw.hf.space"}),
    (Site(), {"Host": PUBLIC, "Origin": f"http://{PUBLIC}", "Sec-Fetch-Site": "cross-site"}),
    (Site(allow_origins=(EVIL,)), {"Host": PUBLIC, "Origin": f"{EVIL}:8443"}),
    (Site(allow_origins=(EVIL,)), {"Host": PUBLIC, "Origin": "http://evil.example"}),
    (Site(), {"Origin": EVIL}),
]


@pytest.mark.parametrize(("site", "headers"), OWN)
def test_own_origins_are_accepted(site, headers):
    site.check_origin(Headers(headers))


@pytest.mark.parametrize(("site", "headers"), OTHER)
def test_other_origins_are_refused(site, headers):
    with pytest.raises(RequestError, match="may not call this server"):
        site.check_origin(Headers(headers))


def test_any_host_name_is_accepted_on_other_addresses():
    Site(loopback=False).check_host(Headers({"Host": PUBLIC}))


@pytest.mark.parametrize("host", [PUBLIC, f"{PUBLIC}:7860"])
def test_the_public_name_of_a_proxy_is_accepted_if_allowed(host):
    for site in (
        Site(loopback=True, allow_origins=(f"https://{PUBLIC}",)),
        Site(loopback=True, root_path=f"https://{PUBLIC}/draw"),
    ):
        site.check_host(Headers({"Host": host}))
    with pytest.raises(RequestError, match="--allow-origin"):
        Site(loopback=True).check_host(Headers({"Host": host}))


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=utf-8", "application/xml",
                                  "application/x-www-form-urlencoded", ""])  # fmt: skip
@pytest.mark.parametrize("route", [each for each in POSTS if each != "upload"])
def test_json_with_another_content_type_is_refused(caller, route, kind):
    answer = caller.post(route, BODY, {"Content-Type": kind})
    assert answer.status == 415, answer
    assert "send Content-Type: application/json" in answer.json["error"]


def test_json_as_a_form_is_refused(caller):
    body, headers = form([("data", None, b"[]")])
    assert caller.post("run/predict_strokes", body, headers).status == 415


@pytest.mark.parametrize("headers", [{}, JSON, {"Content-Type": "Application/JSON; charset=utf-8"}])
def test_json_without_a_content_type_is_accepted(caller, headers):
    assert caller.post("run/predict_strokes", BODY, headers).status == 200


@pytest.fixture(scope="module")
def sites():
    """Yield the port of a site, and the URL of a server that the site may call and frame."""
    page = "<!doctype html><title>a site</title>"
    with static_site(page) as port:
        allowed = f"http://localhost:{port}"
        flags = ("--allow-origin", f"{allowed},https://b.example", "--frame-ancestors", allowed)
        with running(*flags) as (url, _):
            yield port, url


CALL = """async ([url, body]) => {
  const headers = { "Content-Type": "application/json" };
  const options = { method: "POST", headers, body };
  const answer = await fetch(`${url}/gradio_api/run/predict_strokes`, options).catch(String);
  if (typeof answer === "string") return answer;
  const joined = await fetch(`${url}/gradio_api/call/predict_strokes`, options);
  const { event_id } = await joined.json();
  const result = await fetch(`${url}/gradio_api/call/predict_strokes/${event_id}`);
  const wrong = await fetch(`${url}/gradio_api/run/predict_strokes`, { ...options, body: "{" });
  return [await answer.json(), await result.text(), (await wrong.json()).error];
}"""


@pytest.mark.browser
def test_an_allowed_site_may_call(browser, sites):
    port, url = sites
    page = browser.new_page()
    page.goto(f"http://localhost:{port}")
    answer, result, error = page.evaluate(CALL, [url, BODY.decode()])
    assert answer["data"][0]["digit"] == 7
    assert '"digit": 7' in result
    assert "The body is not JSON" in error
    page.goto(f"http://127.0.0.1:{port}")
    assert "Failed to fetch" in page.evaluate(CALL, [url, BODY.decode()])
    page.close()


FRAME = "url => document.body.append(Object.assign(document.createElement('iframe'), { src: url }))"


@pytest.mark.browser
def test_an_allowed_site_may_frame_the_app(browser, sites):
    port, url = sites
    page = browser.new_page()
    page.goto(f"http://localhost:{port}")
    page.evaluate(FRAME, url)
    answer = page.frame_locator("iframe").get_by_test_id("answer")
    expect(answer).to_contain_text("nothing drawn", timeout=60_000)
    page.goto(f"http://127.0.0.1:{port}")
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.evaluate(FRAME, url)
    assert page.frame_locator("iframe").get_by_test_id("answer").count() == 0
    page.close()


def test_an_allowed_site_gets_cors_headers(sites):
    port, url = sites
    caller, origin = Caller(url), f"http://localhost:{port}"
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-gradio-user"}  # fmt: skip
    answer = caller.request("OPTIONS", f"{API}/run/predict_strokes", None, asks)
    assert answer.status == 200
    for headers in (
        answer.headers,
        caller.post("run/predict_strokes", BODY, JSON | {"Origin": origin}).headers,
        caller.request("GET", "/config", None, {"Origin": origin}).headers,
    ):
        assert f"access-control-allow-origin: {origin}" in headers
        assert "allow-credentials" not in headers
        assert "Origin" in headers.partition("vary: ")[2].partition("\n")[0]
    answer = caller.post("run/predict_strokes", BODY, JSON | {"Origin": EVIL})
    assert answer.status == 403


def test_only_hugging_face_may_frame_the_app_by_default(caller):
    policy = caller.get("/").headers.partition("frame-ancestors ")[2].partition("\n")[0]
    assert policy == "'self' https://huggingface.co"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("https://a.example", ("https://a.example",)),
        ("HTTPS://A.example:443, http://localhost:3000", ("https://a.example",
                                                          "http://localhost:3000")),
        ("http://[::1]:80 http://127.0.0.1", ("http://[::1]", "http://127.0.0.1")),
    ],
)  # fmt: skip
def test_origins_are_parsed(text, found):
    assert parse(["--allow-origin", text]).allow_origin == found
    assert parse(["--frame-ancestors", text]).frame_ancestors == found


@pytest.mark.parametrize("flag", ["--allow-origin", "--frame-ancestors"])
@pytest.mark.parametrize("text", ["*", "a.example", "https://a.example/", "https://a.example/x",
                                  "https://a.example;script-src", "'self'", "null", "data:",
                                  "https://", "https://a..example"])  # fmt: skip
def test_an_invalid_origin_is_refused(flag, text, capsys):
    with pytest.raises(SystemExit):
        parse([flag, text])
    assert "is not an origin: write scheme, host and port" in capsys.readouterr().err


def test_frame_ancestors_accept_a_wildcard_host(capsys):
    assert parse(["--frame-ancestors", "https://*.a.example"]).frame_ancestors == (
        "https://*.a.example",
    )
    with pytest.raises(SystemExit):
        parse(["--allow-origin", "https://*.a.example"])


def test_environment_variables_set_origins_and_root_path(monkeypatch):
    monkeypatch.setenv("ALLOW_ORIGIN", "https://a.example,https://b.example")
    monkeypatch.setenv("FRAME_ANCESTORS", "https://c.example")
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/draw/")
    options = parse([])
    assert options.allow_origin == ("https://a.example", "https://b.example")
    assert options.frame_ancestors == ("https://c.example",)
    assert options.root_path == "/draw"
