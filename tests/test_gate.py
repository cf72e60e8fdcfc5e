"""What the gate makes of faults behind it."""

import pytest
from starlette.testclient import TestClient

from server.answer import WRONG
from server.calls import Calls
from server.gate import Gate
from server.limits import ServerLimits
from server.site import Site
from server.traffic import Traffic
from server.uploads import Uploads


@pytest.mark.parametrize("fault", [TypeError, ValueError, KeyError, AttributeError])
def test_a_fault_while_an_upload_is_taken_is_not_the_callers(fault, tmp_path, capsys):
    async def faulty(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        raise fault("a fault of the server")

    limits = ServerLimits()
    traffic = Traffic(limits, Uploads.of(limits, tmp_path), Calls({}, {}, {}, frozenset()))
    client = TestClient(Gate(faulty, traffic, Site()))
    answer = client.post("/gradio_api/upload", files={"files": ("x.png", b"x")})
    assert answer.status_code == 500
    assert answer.json()["error"] == WRONG
    assert "a fault of the server" in capsys.readouterr().err
