"""Tests of the request guard's response to errors in the app."""

import pytest
from starlette.testclient import TestClient

from server.capacity import Capacity
from server.endpoints import Endpoints
from server.guard import RequestGuard
from server.limits import ServerLimits
from server.responses import INTERNAL_ERROR
from server.site import Site
from server.uploads import Uploads


@pytest.mark.parametrize("fault", [TypeError, ValueError, KeyError, AttributeError])
def test_a_server_error_during_an_upload_gets_status_500(fault, tmp_path, capsys):
    async def faulty(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        raise fault("a fault of the server")

    limits = ServerLimits()
    capacity = Capacity(limits, Uploads.of(limits, tmp_path))
    endpoints = Endpoints({}, {}, {}, frozenset())
    guard = RequestGuard(faulty, capacity=capacity, endpoints=endpoints, site=Site())
    client = TestClient(guard)
    answer = client.post("/gradio_api/upload", files={"files": ("x.png", b"x")})
    assert answer.status_code == 500
    assert answer.json()["error"] == INTERNAL_ERROR
    assert "a fault of the server" in capsys.readouterr().err
