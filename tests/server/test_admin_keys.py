"""Virtual keys by the admin port: made, listed, rotated, revoked; and which key opens which door."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pennyworth.plan import Plan
from pennyworth.sandbox import SandboxServer
from pennyworth.server.public import ROUTES
from pennyworth.wire.dialects import CODECS
from tests.server.gateways import GatewayThread, Reply, call, plan_for

ADMIN = "the-admin-key-0123456789abc"
CLIENT = "the-configured-client-key-0123"
SHOWN = {"Authorization": f"Bearer {ADMIN}"}
Question = Callable[[], str]


def plan_in(folder: Path, sandbox_url: str) -> Plan:
    env = {"PENNYWORTH_ADMIN_KEY": ADMIN, "APP_KEY": CLIENT}
    tables = {
        "keys": {"app": {"env": "APP_KEY"}},
        "teams": {"search": {"models": ["gpt-4o*"]}},
        "providers": {"sandbox": {"base_url": sandbox_url, "key": "k", "models": ["gpt-4o", "gpt-4o-mini", "*"]}},
    }
    return plan_for(folder, sandbox_url, env, **tables)


@pytest.fixture(scope="module")
def keyed(provider: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayThread]:
    with GatewayThread(plan_in(tmp_path_factory.mktemp("keyed"), provider.base_url)) as running:
        yield running


def admin(keyed: GatewayThread, method: str, path: str, body: object = None) -> Reply:
    return keyed.admin(method, path, body, SHOWN)


def create(keyed: GatewayThread, name: str, **more: object) -> Any:
    made = admin(keyed, "POST", "/api/v1/keys", {"name": name, **more})
    assert made.status == 200, made.body
    assert (made.json["confirmed"], made.json["workers"]) == (1, 1)
    return made.json


def change(keyed: GatewayThread, name: str, what: str, body: object) -> Reply:
    return admin(keyed, "POST", f"/api/v1/keys/{name}/{what}", body)


def ask(keyed: GatewayThread, secret: str, **fields: object) -> Reply:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}], **fields}
    return keyed.post(body, {"Authorization": f"Bearer {secret}"})


def test_a_key_is_made_shown_once_and_works_when_it_is_answered(keyed: GatewayThread) -> None:
    made = create(keyed, "alice", team="search", budget_day="20 USD", requests_per_minute=1000, expires="30d")
    assert re.fullmatch(r"pw-[A-Za-z0-9_-]{43}", made["secret"])
    assert made["secret"].endswith(made["ends_in"])
    assert (made["state"], made["team"], made["budget_day"], made["share"]) == ("in force", "search", "20 USD", "key")
    assert ask(keyed, made["secret"]).status == 200
    listed = admin(keyed, "GET", "/api/v1/keys")
    (row,) = [row for row in listed.json["keys"] if row["name"] == "alice"]
    assert row == {name: value for name, value in made.items() if name in row}
    assert "secret" not in row
    assert (listed.json["confirmed"], listed.json["workers"], listed.json["version"]) == (1, 1, made["version"])
    assert listed.headers["cache-control"] == "no-store"


def test_two_keys_have_nothing_in_common(keyed: GatewayThread) -> None:
    secrets = {create(keyed, f"one-of-{number}")["secret"] for number in range(8)}
    assert len({secret[:10] for secret in secrets}) == 8


def test_a_rotated_key_has_another_secret_and_the_old_one_holds_as_long_as_was_said(keyed: GatewayThread) -> None:
    first = create(keyed, "rotates")["secret"]
    second = change(keyed, "rotates", "rotate", {"grace": "1h"})
    assert (second.status, second.json["former_secret_until"] is None) == (200, False)
    assert [ask(keyed, secret).status for secret in (first, second.json["secret"])] == [200, 200]
    third = change(keyed, "rotates", "rotate", {}).json
    assert third["former_secret_until"] is None
    statuses = [ask(keyed, secret).status for secret in (first, second.json["secret"], third["secret"])]
    assert statuses == [401, 401, 200]


def test_a_revoked_key_is_refused_when_that_is_answered_and_stays_in_the_list(keyed: GatewayThread) -> None:
    secret = create(keyed, "leaves")["secret"]
    assert ask(keyed, secret).status == 200
    revoked = change(keyed, "leaves", "revoke", {})
    assert (revoked.status, revoked.json["state"], revoked.json["confirmed"]) == (200, "revoked", 1)
    assert "secret" not in revoked.json
    assert ask(keyed, secret).status == 401
    assert change(keyed, "leaves", "revoke", {}).json["revoked"] == revoked.json["revoked"]
    names = [row["name"] for row in admin(keyed, "GET", "/api/v1/keys").json["keys"]]
    assert "leaves" in names
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "words"),
    [
        ("keys", {"team": "search"}, 400, "wrong_input", "name: it is missing"),
        ("keys", {"name": "a b"}, 400, "wrong_input", "name: 'a b' is not a name"),
        ("keys", {"name": "x", "team": "serach"}, 400, "wrong_input", "Did you mean 'search'?"),
        ("keys", {"name": "x", "budget_day": 20}, 400, "wrong_input", 'such as "20 USD"'),
        ("keys", {"name": "x", "expires": "soon"}, 400, "wrong_input", "expires: 'soon' is not a duration"),
        ("keys", {"name": "x", "secret": "mine"}, 400, "wrong_input", "secret: there is no such key"),
        ("keys", ["x"], 400, "wrong_input", "Send {"),
        ("keys", {"name": "app"}, 409, "key_exists", "a key of the configuration"),
        ("keys", {"name": "environment"}, 409, "key_exists", "a key of the configuration"),
        ("keys/nobody/revoke", {}, 404, "no_such_key", "no virtual key named 'nobody'"),
        ("keys/app/revoke", {}, 404, "no_such_key", "Those of the configuration are changed there"),
        ("keys/nobody/rotate", {}, 404, "no_such_key", "no virtual key named 'nobody'"),
        ("keys/nobody/rotate", {"grace": "long"}, 400, "wrong_input", "grace: 'long' is not a duration"),
        ("keys/nobody/rotate", {"secret": "mine"}, 400, "wrong_input", "unknown field `secret`"),
        ("keys/nobody/revoke", {"all": True}, 400, "wrong_input", "unknown field `all`"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_fix_and_changes_nothing(
    keyed: GatewayThread, path: str, body: object, status: int, code: str, words: str
) -> None:
    before = admin(keyed, "GET", "/api/v1/keys").json
    refused = admin(keyed, "POST", f"/api/v1/{path}", body)
    assert (refused.status, refused.json["error"]["code"]) == (status, code)
    assert words in refused.json["error"]["message"]
    after = admin(keyed, "GET", "/api/v1/keys").json
    assert after["keys"] == before["keys"]


def test_another_method_is_told_of_both(keyed: GatewayThread) -> None:
    refused = admin(keyed, "DELETE", "/api/v1/keys", {})
    assert (refused.status, set(refused.headers["allow"].split(", "))) == (405, {"GET", "HEAD", "POST"})


def roles(keyed: GatewayThread) -> dict[str, dict[str, str]]:
    """What each shows: of each kind of key, one."""
    made, revoked = create(keyed, "role")["secret"], create(keyed, "was")["secret"]
    change(keyed, "was", "revoke", {})
    bearer = {"admin": ADMIN, "configured": CLIENT, "virtual": made, "revoked": revoked, "stranger": "pw-nobody"}
    shown = {name: {"Authorization": f"Bearer {secret}"} for name, secret in bearer.items()}
    return {
        **shown,
        "nobody": {},
        "virtual as x-api-key": {"X-Api-Key": made},
        "admin as x-api-key": {"X-Api-Key": ADMIN},
    }


OPENS = {
    "admin": {"admin"},
    "callers": {"configured", "virtual", "virtual as x-api-key"},
    "anybody": {
        *("admin", "configured", "virtual", "revoked", "stranger", "nobody"),
        *("virtual as x-api-key", "admin as x-api-key"),
    },
}
"""Which roles open the admin port, the public door, and its two paths for probes. Anything else is a 401."""

PROBES = ("/healthz", "/readyz")


def test_every_role_opens_its_own_routes_and_no_others(keyed: GatewayThread) -> None:
    """CVE-2026-35029 and its like: an ordinary key that reached the administrator's routes. The routes are those that
    the code itself lists, so that a new one is in the matrix from its first day."""
    shown = roles(keyed)
    admin_routes = ["GET /", *admin(keyed, "GET", "/").json["routes"]]
    assert len(admin_routes) > 15
    dialects = {f"/v1{codec.PATH}" for codec in CODECS.values()}
    assert {path for _, path in ROUTES} == {*dialects, "/v1/models", *PROBES}
    wrong = []
    for role, headers in shown.items():
        for route in admin_routes:
            method, path = route.split()
            wrong += _unlike(keyed.admin_url, method, path, headers, role, "admin")
        for method, path in ROUTES:
            wrong += _unlike(keyed.public_url, method, path, headers, role, "anybody" if path in PROBES else "callers")
    assert wrong == []
    assert "role" in [row["name"] for row in admin(keyed, "GET", "/api/v1/keys").json["keys"]]


def _unlike(url: str, method: str, path: str, headers: dict[str, str], role: str, opens_to: str) -> Iterator[str]:
    """Where the answer is not what this role should get. An empty body: what is let in is then refused as wrong."""
    body = None if method == "GET" else {}
    status = call(url, method, path.format(id="r-1", name="nobody"), body, headers).status
    if (status != 401) != (role in OPENS[opens_to]):
        yield f"{role}: {method} {url}{path} answers {status}"


def test_the_paths_of_one_door_are_not_found_behind_the_other(keyed: GatewayThread) -> None:
    secret = create(keyed, "crosses")["secret"]
    for route in admin(keyed, "GET", "/").json["routes"]:
        method, path = route.split()
        if path not in PROBES:
            there = call(keyed.public_url, method, path.format(id="r-1", name="x"), {}, {"Authorization": secret})
            assert there.status == 404, route
    for _, path in ROUTES:
        if path not in PROBES:
            assert admin(keyed, "POST", path, {}).status == 404


def test_no_secret_is_anywhere_on_disk_or_in_an_answer_but_the_one_that_made_it(
    provider: SandboxServer, tmp_path: Path
) -> None:
    plan = plan_in(tmp_path, provider.base_url)
    with GatewayThread(plan) as keyed:
        secrets, heard = [create(keyed, "planted", budget_day="1 USD")["secret"]], []
        for _ in range(2):
            secrets.append(change(keyed, "planted", "rotate", {"grace": "1h"}).json["secret"])
        for secret in secrets:
            heard += [ask(keyed, secret), ask(keyed, secret + "x"), ask(keyed, secret, model="o1", stream=True)]
            heard.append(call(keyed.public_url, "GET", "/v1/models", None, {"Authorization": f"Bearer {secret}"}))
        heard += [change(keyed, "planted", "revoke", {}), *(ask(keyed, secret) for secret in secrets)]
        paths = [path for path in admin(keyed, "GET", "/").json["routes"] if path.startswith("GET ")]
        heard += [admin(keyed, "GET", path.split()[1].format(id="r-1")) for path in paths]
        assert {200, 401} <= {reply.status for reply in heard}
        told = b"".join(reply.body + json.dumps(reply.headers).encode() for reply in heard)
        troubles = repr(keyed.troubles).encode()
        files = _files(tmp_path)
    files |= {f"{name} afterwards": data for name, data in _files(tmp_path).items()}
    assert {"keys.db", "ledger.db", "secret"} <= set(files)
    for secret in secrets:
        for held in (secret.encode(), secret[3:].encode(), secret[3:27].encode()):
            assert held not in told
            assert held not in troubles
            assert [name for name, data in files.items() if held in data] == []


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
