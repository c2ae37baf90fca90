"""Virtual keys over several worker processes: what is answered holds in all of them, whoever made the change."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pennyworth.sandbox import SandboxServer
from tests.server.gateways import GatewayProcess, eventually, paused

BODY = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Which key is this?"}]})


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleet") / "state"


@pytest.fixture(scope="module")
def fleet(provider: SandboxServer, state: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(state, provider.base_url, PENNYWORTH_WORKERS="2") as running:
        yield running


def status(fleet: GatewayProcess, worker: str, secret: str) -> int:
    """What this worker answers, while the other one hangs."""
    (other,) = [pid for name, pid in fleet.workers().items() if name != worker]
    with paused(other):
        return fleet.post(BODY.encode(), _headers(secret)).status


def _headers(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}


def everywhere(fleet: GatewayProcess, secret: str) -> list[int]:
    return [status(fleet, worker, secret) for worker in ("w0", "w1")]


def change(fleet: GatewayProcess, path: str, body: object) -> Any:
    """Confirmed by both workers, or it would be a 202 after one second."""
    reply = fleet.admin("POST", f"/api/v1/keys{path}", body)
    assert (reply.status, reply.json["confirmed"], reply.json["workers"]) == (200, 2, 2), reply.body
    return reply.json


def test_a_revoked_key_is_refused_by_every_worker_when_that_is_answered(fleet: GatewayProcess) -> None:
    secret = change(fleet, "", {"name": "alice"})["secret"]
    for _ in range(2):
        assert everywhere(fleet, secret) == [200, 200]  # so that both remember it
    open_already = http.client.HTTPConnection(urlsplit(fleet.public_url).netloc, timeout=20.0)
    assert _again(open_already, secret) == 200
    change(fleet, "/alice/revoke", {})
    assert _again(open_already, secret) == 401
    assert everywhere(fleet, secret) == [401, 401]
    open_already.close()


def test_a_rotation_holds_in_every_worker_when_it_is_answered(fleet: GatewayProcess) -> None:
    first = change(fleet, "", {"name": "rotates"})["secret"]
    assert everywhere(fleet, first) == [200, 200]
    second = change(fleet, "/rotates/rotate", {})["secret"]
    assert [everywhere(fleet, secret) for secret in (first, second)] == [[401, 401], [200, 200]]


def test_a_key_that_expires_ends_in_every_worker_by_itself(fleet: GatewayProcess) -> None:
    secret = change(fleet, "", {"name": "expires", "expires": "1s"})["secret"]
    assert eventually(lambda: everywhere(fleet, secret) == [401, 401])
    (row,) = [row for row in fleet.get("/api/v1/keys")["keys"] if row["name"] == "expires"]
    assert row["state"] == "expired"


def test_the_command_line_beside_a_running_gateway_reaches_every_worker(fleet: GatewayProcess, state: Path) -> None:
    def command(*argv: str) -> Any:
        asked = [sys.executable, "-m", "pennyworth.cli", "keys", *argv, "--state-dir", str(state), "--json"]
        return json.loads(subprocess.run(asked, capture_output=True, check=True, timeout=60).stdout)

    secret = command("create", "shell")["secret"]
    assert eventually(lambda: everywhere(fleet, secret) == [200, 200])
    version = command("revoke", "shell")["version"]
    assert eventually(lambda: everywhere(fleet, secret) == [401, 401])
    workers = fleet.get("/api/v1/cache/stats")["workers"]
    assert [worker["keys_version"] for worker in workers] == [version, version]


def test_keys_outlive_the_gateway_that_knew_them(fleet: GatewayProcess, state: Path, provider: SandboxServer) -> None:
    """The last one: another gateway on the same state directory."""
    secret = change(fleet, "", {"name": "stays"})["secret"]
    with GatewayProcess(state, provider.base_url) as other:
        assert other.post(BODY.encode(), _headers(secret)).status == 200
        assert other.post(BODY.encode(), {"Content-Type": "application/json"}).status == 401


def _again(connection: http.client.HTTPConnection, secret: str) -> int:
    """On a connection that is open already."""
    connection.request("POST", "/v1/chat/completions", BODY, _headers(secret))
    reply = connection.getresponse()
    reply.read()
    return reply.status
