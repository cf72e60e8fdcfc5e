"""The files in deploy/ are valid, agree with each other, and set the limits that the docs name."""

import json
import os
import re
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from benchmarks.browser import free_port as find_free_port
from benchmarks.cluster import CONFIGURATION, balancer, configuration, find_haproxy, haproxy
from server.guard import CALL, UPLOAD
from server.limits import ServerLimits
from tests.conftest import ROOT, needs_haproxy, needs_loopback_addresses, run
from tests.name_server import name_server

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
RESOURCES = [
    resource
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for resource in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]


def resource(kind, name="draw-a-digit"):
    [found] = [r for r in RESOURCES if r["kind"] == kind and r["metadata"]["name"] == name]
    return found


@pytest.mark.parametrize("each", RESOURCES, ids=lambda each: each["kind"])
def test_a_kubernetes_resource_fits_its_schema(each):
    kubernetes_validate.validate(each, "1.37", strict=True)


def test_the_compose_file_fits_its_schema():
    schema = ["--builtin-schema", "vendor.compose-spec"]
    done = run("-m", "check_jsonschema", *schema, str(DEPLOY / "compose.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_haproxy
def test_haproxy_accepts_its_configuration_without_a_warning():
    given = os.environ | COMPOSE["services"]["balancer"]["environment"]
    command = [find_haproxy(), "-c", "-f", str(CONFIGURATION)]
    done = subprocess.run(command, env=given, capture_output=True, encoding="utf-8")
    assert (done.returncode, re.findall("WARNING.*", done.stderr)) == (0, []), done.stderr


@pytest.mark.parametrize("container", ["compose", "kubernetes"])
def test_the_app_has_no_privileges_and_a_read_only_root(container):
    if container == "compose":
        app = COMPOSE["services"]["app"]
        assert (app["read_only"], app["cap_drop"]) == (True, ["ALL"])
        assert app["security_opt"] == ["no-new-privileges:true"]
        return
    pod = resource("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    context = pod["containers"][0]["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}


def test_the_ingress_tells_programs_from_pages_as_haproxy_does():
    """The same paths stick by address in haproxy.cfg and in the Ingress."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    [names] = re.findall(r"acl is_program path_reg /gradio_api/\((.*)\)\(/\|\$\)", text)
    paths = resource("Ingress")["spec"]["rules"][0]["http"]["paths"]
    programs = [p["path"] for p in paths if p["backend"]["service"]["name"].endswith("-programs")]
    assert sorted(programs) == sorted(f"/gradio_api/{name}" for name in names.split("|"))
    for path in programs:
        assert path == UPLOAD or CALL.match(f"{path}/x") or path == "/gradio_api/queue"


@pytest.mark.parametrize("kind", ["pages", "programs"])
def test_the_services_have_the_directives_of_haproxy_cfg(kind):
    text = CONFIGURATION.read_text(encoding="utf-8")
    annotations = resource("Service", f"draw-a-digit-{kind}")["metadata"]["annotations"]
    assert f"balance {annotations['haproxy.org/load-balance']}\n" in text
    assert f"timeout check {annotations['haproxy.org/timeout-check']}\n" in text
    assert f"check inter {annotations['haproxy.org/check-interval']} " in text
    for directive in annotations["haproxy.org/backend-config-snippet"].splitlines():
        assert f"    {directive}\n" in text


@pytest.fixture(scope="module")
def lonely():
    """Yield the URL of a balancer that has no replica."""
    with balancer([]) as url:
        yield url


def respond(url, head):
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.putrequest("POST", "/gradio_api/upload")
    for name, value in head.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    return response.status, response.headers, json.loads(response.read())


@needs_haproxy
def test_a_request_without_a_replica_may_be_sent_again(lonely):
    status, headers, body = respond(lonely, {"Content-Length": "0"})
    assert (status, headers["Retry-After"]) == (503, "1")
    assert "try again" in body["error"]


@needs_haproxy
def test_a_body_above_the_limit_is_rejected(lonely):
    n_bytes = ServerLimits().max_upload + 1_000_001
    status, _, body = respond(lonely, {"Content-Length": str(n_bytes)})
    assert status == 413
    assert "11 MB" in body["error"]


@needs_haproxy
def test_headers_must_arrive_within_10_seconds(lonely):
    where = urlsplit(lonely)
    with socket.create_connection((where.hostname, where.port), timeout=30) as slow:
        started = time.monotonic()
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
    assert 9 < time.monotonic() - started < 20


@needs_haproxy
def test_one_address_may_open_600_connections(lonely):
    where = (urlsplit(lonely).hostname, urlsplit(lonely).port)
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(where)) for _ in range(620)]
        assert sum(map(is_accepted, opened)) == 600


def is_accepted(connection):
    connection.settimeout(20)
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection.recv(100).startswith(b"HTTP/1.1 503")
    except OSError:
        return False


@contextmanager
def replica(address, port):
    """Serve an address at every path, as a replica that is healthy."""

    class Address(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(address)))
            self.end_headers()
            self.wfile.write(address.encode())

        def log_message(self, format, *args):
            pass

    with ThreadingHTTPServer((address, port), Address) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def reached(port):
    """Return the replicas that requests from eight addresses reach."""
    found = set()
    for i in range(8):
        source = (f"127.0.0.{100 + i}", 0)
        with closing(HTTPConnection("127.0.0.1", port, 30, source_address=source)) as connection:
            connection.request("GET", "/gradio_api/call/predict/x")
            response = connection.getresponse()
            found.add(response.read().decode() if response.status == 200 else response.status)
    return found


def wait_until_reached(port, expected):
    deadline, found = time.monotonic() + 30, None
    while found != expected:
        assert time.monotonic() < deadline, (found, expected)
        time.sleep(0.1)
        with suppress(ConnectionRefusedError):  # HAProxy is starting
            found = reached(port)


@needs_haproxy
@needs_loopback_addresses
def test_haproxy_follows_the_addresses_of_the_replicas():
    """DNS gives the addresses, as in Docker Compose: replicas are added and removed."""
    one, two, three = addresses = [f"127.0.0.{i}" for i in (21, 22, 23)]
    app, front = find_free_port(), find_free_port()
    with ExitStack() as stack:
        for each in addresses:
            stack.enter_context(replica(each, app))
        known = [one, two]
        dns = stack.enter_context(name_server(known))
        text = CONFIGURATION.read_text(encoding="utf-8")
        text = text.replace("bind :8080", f"bind 127.0.0.1:{front}")
        text = text.replace("parse-resolv-conf", f"nameserver test 127.0.0.1:{dns}")
        stack.enter_context(haproxy(text, REPLICAS=f"app:{app}", COOKIE_KEY="x"))
        wait_until_reached(front, {one, two})
        known.append(three)
        wait_until_reached(front, {one, two, three})
        known.remove(one)
        wait_until_reached(front, {two, three})


def test_the_configuration_for_tests_differs_only_in_addresses():
    text = CONFIGURATION.read_text(encoding="utf-8")
    made = configuration(8080, ["http://127.0.0.1:9"])
    removed = set(text.splitlines()) - set(made.splitlines())
    kinds = {line.split()[0] for line in removed}
    assert kinds == {"bind", "resolvers", "parse-resolv-conf", "hold", "server-template"}
