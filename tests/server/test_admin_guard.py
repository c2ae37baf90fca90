"""Who may use the admin port: the matrix of keys, hosts and content types, over every route there is."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pennyworth.errors import ConfigError
from pennyworth.plan import Listen, Plan
from pennyworth.sandbox import SandboxServer
from pennyworth.server.doors import open_doors
from tests.server.gateways import GatewayThread, plan_for

KEY = "correct-horse-battery-staple"
ROUTES = [
    ("GET", "/"),
    ("GET", "/api/v1/cache/stats"),
    ("GET", "/api/v1/receipts"),
    ("GET", "/api/v1/receipts/r-1"),
    ("GET", "/api/v1/totals"),
    ("GET", "/api/v1/control"),
    ("POST", "/api/v1/purge"),
    ("POST", "/api/v1/kill-switch"),
    ("PUT", "/api/v1/switches"),
    ("POST", "/api/v1/revisions"),
    ("GET", "/api/v1/keys"),
    ("POST", "/api/v1/keys"),
    ("POST", "/api/v1/keys/alice/rotate"),
    ("POST", "/api/v1/keys/alice/revoke"),
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/not/there"),
    ("OPTIONS", "/api/v1/purge"),
    ("HEAD", "/metrics"),
]
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def locked(provider: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayThread]:
    env = {"PENNYWORTH_ADMIN_KEY": KEY}
    with GatewayThread(plan_for(tmp_path_factory.mktemp("locked"), provider.base_url, env)) as running:
        yield running


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": "Bearer "},
        {"X-Api-Key": KEY},
        {"Cookie": f"key={KEY}"},
    ],
)
def test_with_a_key_configured_nothing_answers_without_it(
    locked: GatewayThread, method: str, path: str, shown: dict[str, str]
) -> None:
    reply = locked.admin(method, path, headers=JSON | shown)
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert KEY.encode() not in reply.body


def test_the_key_does_not_work_in_the_query(locked: GatewayThread) -> None:
    assert locked.admin("GET", f"/healthz?key={KEY}").status == 401


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_with_the_key_every_route_answers(locked: GatewayThread, method: str, path: str) -> None:
    reply = locked.admin(method, path, headers=JSON | {"Authorization": f"bearer {KEY}"})
    assert reply.status in (200, 400, 404, 405)


def test_the_admin_key_opens_the_port_under_any_name(locked: GatewayThread) -> None:
    shown = {"Authorization": f"Bearer {KEY}", "Host": "gateway.internal:9000"}
    assert locked.admin("GET", "/healthz", headers=shown).status == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1", "127.0.0.1:8081", "[::1]", "[::1]:8081"])
def test_without_a_key_programs_of_this_machine_may_ask(gateway: GatewayThread, host: str) -> None:
    assert gateway.admin("GET", "/healthz", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "rebound.example:8081",
        "localhost.rebound.example",
        "127.0.0.1.nip.io",
        "127.0.0.2",
        "::1",
        "[::1]x:80",
        "localhost:80:80",
        "user@localhost",
        "localhost.",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/receipts", "/not/there"])
def test_without_a_key_a_page_that_rebinds_its_name_gets_nothing(gateway: GatewayThread, host: str, path: str) -> None:
    reply = gateway.admin("GET", path, headers={"Host": host})
    assert (reply.status, reply.json["error"]["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain; a=application/json", ""],
)
def test_what_a_web_page_may_post_unasked_changes_nothing(gateway: GatewayThread, content_type: str) -> None:
    before = gateway.get("/api/v1/control")
    reply = gateway.admin("POST", "/api/v1/purge", b'{"by": "all"}', {"Content-Type": content_type})
    assert (reply.status, reply.json["error"]["code"]) == (415, "content_type")
    assert gateway.get("/api/v1/control") == before


def test_json_may_name_its_encoding(gateway: GatewayThread) -> None:
    reply = gateway.admin("POST", "/api/v1/purge", b"{}", {"Content-Type": "Application/JSON; charset=utf-8"})
    assert reply.status == 400


def test_no_answer_allows_other_origins(gateway: GatewayThread) -> None:
    reply = gateway.admin("GET", "/api/v1/cache/stats", headers={"Origin": "https://page.example"})
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_two_hosts_are_refused_at_the_door(gateway: GatewayThread) -> None:
    address = urlsplit(gateway.admin_url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=5.0) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: rebound.example\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "gateway.example"])
def test_without_a_key_the_port_is_not_opened_to_other_machines(host: str, state_dir: Path) -> None:
    plan = Plan(providers=(), listen=Listen(port=0, admin_host=host, admin_port=0), state_dir=str(state_dir))
    with pytest.raises(ConfigError, match="PENNYWORTH_ADMIN_KEY"):
        open_doors(plan)
