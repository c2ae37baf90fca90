"""What went wrong elsewhere, and the test that it does not here: one row for each published incident that touches what we have."""

from __future__ import annotations

import ast
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennyworth.clients import ClientKey
from pennyworth.decide.key import Keyring
from pennyworth.sandbox import SandboxServer, Settings
from pennyworth.secret import Secret
from pennyworth.testing.chat_bytes import chat_json
from pennyworth.testing.scripted_server import connection, send
from tests.door.raw import Wire, post, question
from tests.door.running import Running, plan_for
from tests.door.scripted_provider import ScriptedProvider, last_reply
from tests.server.gateways import GatewayThread
from tests.server.gateways import plan_for as plan_with_admin

TESTS = Path(__file__).parents[1]
HERE = "security/test_incidents.py"
RULES = "security/test_source_rules.py"
WHEEL = "security/test_wheel.py"
SSRF = "security/test_ssrf.py"
SECRETS = "door/test_secrets.py"

INCIDENTS: dict[str, tuple[str, str]] = {
    "PYSEC-2026-2": (WHEEL, "test_the_wheel_holds_our_own_files_and_nothing_that_runs_by_itself"),
    "MAL-2026-2144": (WHEEL, "test_the_wheel_holds_our_own_files_and_nothing_that_runs_by_itself"),
    "GHSA-5mg7-485q-xm76": (WHEEL, "test_the_wheel_is_the_same_to_the_bit_when_it_is_built_again"),
    "CVE-2026-42208": (HERE, "test_whatever_stands_in_the_auth_header_it_is_refused_and_the_books_are_whole"),
    "CVE-2024-4890": (RULES, "test_no_statement_is_built_of_anybodys_data"),
    "CVE-2024-5225": (RULES, "test_every_statement_is_given_its_values_as_parameters"),
    "CVE-2026-49468": (HERE, "test_a_host_header_opens_no_admin_route"),
    "CVE-2026-48710": (HERE, "test_a_host_header_opens_no_admin_route"),
    "CVE-2026-42271": (RULES, "test_nothing_given_is_run_or_imported"),
    "CVE-2024-5751": (RULES, "test_nothing_given_is_run_or_imported"),
    "CVE-2024-4264": (RULES, "test_nothing_given_is_run_or_imported"),
    "CVE-2024-6825": (HERE, "test_real_requests_load_run_and_open_nothing"),
    "CVE-2026-42203": (RULES, "test_there_is_no_template_engine"),
    "CVE-2024-2952": (RULES, "test_there_is_no_template_engine"),
    "CVE-2025-62426": (HERE, "test_template_fields_are_the_providers_business_and_reach_it_as_they_came"),
    "CVE-2026-35030": (HERE, "test_two_credentials_that_begin_alike_are_two_callers"),
    "CVE-2026-35029": (HERE, "test_no_client_key_opens_an_admin_route"),
    "CVE-2026-47101": (HERE, "test_no_client_key_opens_an_admin_route"),
    "CVE-2024-5710": (HERE, "test_no_client_key_opens_an_admin_route"),
    "CVE-2025-0628": (HERE, "test_no_client_key_opens_an_admin_route"),
    "GHSA-69x8-hrgq-fjj8": (HERE, "test_the_hash_of_a_key_is_no_key"),
    "CVE-2024-4888": (RULES, "test_files_are_named_by_us_alone"),
    "CVE-2024-6587": (SSRF, "test_who_is_asked_is_never_in_the_body"),
    "CVE-2024-8984": (HERE, "test_a_multipart_boundary_of_any_length_costs_nothing"),
    "CVE-2024-10188": (HERE, "test_a_multipart_boundary_of_any_length_costs_nothing"),
    "CVE-2024-9606": (SECRETS, "test_no_secret_is_in_a_log_or_a_metric"),
    "CVE-2025-0330": (SECRETS, "test_no_secret_and_no_prompt_is_in_a_receipt_or_a_file"),
    "CVE-2026-12772": (
        "server/test_fleet_keys.py",
        "test_a_revoked_key_is_refused_by_every_worker_when_that_is_answered",
    ),
    "CVE-2026-12795": ("server/test_admin_keys.py", "test_every_role_opens_its_own_routes_and_no_others"),
    "CVE-2026-12796": ("server/test_admin_keys.py", "test_every_role_opens_its_own_routes_and_no_others"),
    "CVE-2023-28858": (
        "upstreams/test_connections.py",
        "test_a_reply_that_was_not_read_to_its_end_ends_its_connection",
    ),
    "CVE-2023-28859": ("upstreams/test_connections.py", "test_a_read_given_up_and_closed_ends_the_connection"),
    "CVE-2025-69872": (RULES, "test_nothing_is_unpickled"),
    "CVE-2026-27794": (HERE, "test_real_requests_load_run_and_open_nothing"),
    "CVE-2025-46570": ("door/test_callers.py", "test_callers_of_two_scopes_never_share_an_answer"),
    "CVE-2025-59425": (RULES, "test_secrets_are_compared_in_constant_time"),
    "CVE-2025-43859": (HERE, "test_what_two_servers_could_cut_in_two_places_is_refused_and_the_connection_ends"),
    "CVE-2024-1135": (HERE, "test_what_two_servers_could_cut_in_two_places_is_refused_and_the_connection_ends"),
    "CVE-2025-53643": (HERE, "test_what_two_servers_could_cut_in_two_places_is_refused_and_the_connection_ends"),
    "CVE-2025-69223": (HERE, "test_a_compressed_body_is_refused_before_it_is_unpacked"),
    "CVE-2025-69229": (HERE, "test_a_body_in_a_hundred_thousand_chunks_costs_no_more_than_its_bytes"),
    "CVE-2025-66418": (HERE, "test_no_compression_is_asked_for_and_a_bomb_is_passed_on_packed"),
    "CVE-2025-66471": (HERE, "test_no_compression_is_asked_for_and_a_bomb_is_passed_on_packed"),
    "CVE-2026-21441": (HERE, "test_no_compression_is_asked_for_and_a_bomb_is_passed_on_packed"),
    "CVE-2024-27454": (HERE, "test_brackets_without_end_are_refused_and_the_next_is_served"),
    "CVE-2025-67221": (HERE, "test_brackets_without_end_are_refused_and_the_next_is_served"),
    "CVE-2020-7694": (HERE, "test_no_control_character_of_a_request_reaches_the_log_or_a_header"),
    "CVE-2020-7695": (HERE, "test_no_control_character_of_a_request_reaches_the_log_or_a_header"),
    "CVE-2023-30798": (HERE, "test_a_form_is_read_nowhere"),
    "CVE-2023-29159": (HERE, "test_a_form_is_read_nowhere"),
}
NOT_HERE = {
    "CacheAttack arXiv 2601.23088": "no semantic cache is assembled yet",
    "CVE-2025-25183": "no hash of a prefix is kept",
    "CVE-2025-49844": "no Redis is spoken to yet",
}
"""Published incidents of things that are not in this program."""


def test_every_incident_has_its_test() -> None:
    assert not INCIDENTS.keys() & NOT_HERE.keys()
    for incident, (path, test) in INCIDENTS.items():
        tree = ast.parse((TESTS / path).read_text("utf-8"))
        named = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert test in named, f"{incident}: {path} has no {test}"


KEY = "sk-shop-4d3c2b1a00112233"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(seed=9)) as server:
        yield server


@pytest.fixture(scope="module")
def locked(sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that wants a key."""
    key = ClientKey(name="shop", secret=Secret(KEY), scope="shop")
    folder = tmp_path_factory.mktemp("locked")
    with Running(plan_for(sandbox.base_url, state_dir=str(folder), keys=(key,), allow_anonymous=False)) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(sandbox: SandboxServer) -> Iterator[GatewayThread]:
    """A gateway whose admin port wants a key, and its public one, too."""
    env = {"PENNYWORTH_ADMIN_KEY": "sk-admin-00112233445566", "PENNYWORTH_KEY": KEY}
    with GatewayThread(plan_with_admin(Path(":memory:"), sandbox.base_url, env)) as gateway:
        yield gateway


def ask(running: Running, *headers: str, body: bytes = b"") -> Any:
    with Wire(running.port) as wire:
        return wire.send(post(body or question(), *headers)).read()


INJECTIONS = [
    "' OR 1=1 --",
    "'; DROP TABLE receipts; --",
    '" UNION SELECT body FROM receipts --',
    "%27",
    "\\'",
    "1); --",
    "{{7*7}}",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.one_of(
        st.sampled_from(INJECTIONS),
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=200),
    ),
    scheme=st.sampled_from(["Bearer ", "bearer ", "Basic ", ""]),
    header=st.sampled_from(["Authorization", "AUTHORIZATION", "x-api-key"]),
)
def test_whatever_stands_in_the_auth_header_it_is_refused_and_the_books_are_whole(
    locked: Running, value: str, scheme: str, header: str
) -> None:
    reply = ask(locked, f"{header}: {scheme}{value}")
    assert reply.status in (400, 401)
    assert reply.error["code"]
    assert ask(locked, f"Authorization: Bearer {KEY}").status == 200
    assert locked.last().scope == "shop"


def _routes(guarded: GatewayThread) -> list[tuple[str, str]]:
    """Every admin route, as the code lists them."""
    listed = guarded.admin("GET", "/", None, {"Authorization": "Bearer sk-admin-00112233445566"}).json["routes"]
    assert len(listed) >= 13
    return [tuple(each.replace("{id}", "r-1").replace("{name}", "shop").split(" ")) for each in listed]


HOSTS = [
    "127.0.0.1",
    "localhost",
    "a/healthz?x=",
    "127.0.0.1/healthz",
    "127.0.0.1:8081/metrics?",
    "evil.example",
    "[::1]",
    "a@127.0.0.1",
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_header_opens_no_admin_route(guarded: GatewayThread, host: str) -> None:
    for method, path in _routes(guarded):
        for headers in ({"Host": host}, {"Host": host, "X-Forwarded-Host": "localhost", "X-Original-URL": "/healthz"}):
            assert guarded.admin(method, path, {}, headers).status in (400, 401), (method, path)


def test_no_client_key_opens_an_admin_route(guarded: GatewayThread) -> None:
    for method, path in _routes(guarded):
        for shown in (f"Bearer {KEY}", f"bearer {KEY}", "Bearer ", "Bearer sk-admin-00112233445567", "Basic c2s6"):
            assert guarded.admin(method, path, {}, {"Authorization": shown}).status == 401, (method, path)


def test_the_public_port_has_no_admin_route(guarded: GatewayThread) -> None:
    """Not even for the holder of the admin key."""
    from tests.server.gateways import call

    for key in (KEY, "sk-admin-00112233445566"):
        for method, path in _routes(guarded):
            reply = call(guarded.public_url, method, path, {}, {"Authorization": f"Bearer {key}"})
            if path in ("/healthz", "/readyz"):
                assert set(reply.json) <= {"status"}
            else:
                assert reply.status in (404, 405), (method, path)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_two_credentials_that_begin_alike_are_two_callers(token: bytes, data: st.DataObject) -> None:
    """CVE-2026-35030: an identity was cached under the first twenty characters of its token."""
    keyring = Keyring(b"x" * 32)
    text = token.hex()
    place = data.draw(st.integers(0, len(text) - 1))
    other = text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]
    seals = {keyring.pseudonym("credential", each) for each in (text, other, text + "0", text[:-1])}
    assert len(seals) == 4


def test_the_hash_of_a_key_is_no_key(locked: Running) -> None:
    keyring = locked.runtime.parts.keyring
    for stored in (keyring.pseudonym("client key", KEY), keyring.pseudonym("credential", f"Bearer {KEY}")):
        assert ask(locked, f"Authorization: Bearer {stored}").status == 401


def test_real_requests_load_run_and_open_nothing(tmp_path: Path) -> None:
    """A runtime audit hook while real requests are served: nothing is unpickled, compiled, run, or opened elsewhere."""
    child = [sys.executable, "-m", "tests.security.audited_child", tmp_path]
    done = subprocess.run(child, capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["receipts"] >= 9
    opened = [what for event, what in seen["events"] if event in ("open", "os.remove", "os.rename")]
    assert [what for what in opened if not what.startswith(str(tmp_path))] == []
    assert [each for each in seen["events"] if each[0] not in ("open", "os.remove", "os.rename")] == []


def test_template_fields_are_the_providers_business_and_reach_it_as_they_came() -> None:
    with (
        ScriptedProvider(then=connection(send(last_reply(chat_json("x"))))) as provider,
        Running(plan_for(provider.base_url)) as running,
    ):
        body = question(chat_template="{% raw %}{{ 7*7 }}{% endraw %}", chat_template_kwargs={"x": "{{cycler}}"})
        assert ask(running, body=body).status == 200
        assert provider.bodies == [body]


def test_a_multipart_boundary_of_any_length_costs_nothing(locked: Running) -> None:
    started = time.thread_time()
    for boundary in ("x", "-" * 8_000, "x" * 30_000, '"' * 500):
        kind = f"Content-Type: multipart/form-data; boundary={boundary}"
        body = f"--{boundary}\r\n\r\n{'-' * 10_000}\r\n--{boundary}--".encode()
        assert ask(locked, f"Authorization: Bearer {KEY}", kind, body=body).status in (400, 415)
        assert ask(locked, kind, body=body).status == 401, "who asks is asked before anything is read"
    assert time.thread_time() - started < 5.0


SMUGGLED = b"GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n\r\n"
AMBIGUOUS = {
    "length and chunks": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "chunks, and identity": ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    "chunks not last": ["Transfer-Encoding: chunked, gzip"],
    "chunks misspelt": ["Transfer-Encoding: xchunked"],
    "chunks behind a tab": ["Transfer-Encoding:\x0bchunked"],
    "space before the colon": ["Transfer-Encoding : chunked"],
    "a line that goes on": ["X: a\r\n b: c", "Transfer-Encoding: chunked"],
    "two lengths": ["Content-Length: 5", "Content-Length: 6"],
    "a length with a sign": ["Content-Length: +5"],
    "a length in another base": ["Content-Length: 0x5"],
    "a list of lengths": ["Content-Length: 5, 6"],
    "two hosts": ["Host: b", "Content-Length: 5"],
    "a bare line feed": ["Content-Length: 5\nX: y"],
    "a bare return": ["Content-Length: 5\rX: y"],
    "a null": ["Content-Length: 5", "X: \0"],
}
"""Heads that one server reads so and another otherwise. The body is the beginning of a second request."""


@pytest.mark.parametrize("lines", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_two_servers_could_cut_in_two_places_is_refused_and_the_connection_ends(
    locked: Running, lines: list[str]
) -> None:
    head = "\r\n".join(["POST /v1/chat/completions HTTP/1.1", "Host: a", f"Authorization: Bearer {KEY}", *lines])
    before = len(locked.receipts())
    with Wire(locked.port) as wire:
        reply = wire.send(head.encode("latin-1") + b"\r\n\r\n0\r\n\r\n" + SMUGGLED).read()
        assert reply is None or reply.status in (400, 401, 501), reply
        again = wire.read() if reply is not None else None
        assert again is None or again.status == 400, "the second request was served"
    served = [receipt for receipt in locked.receipts()[before:] if receipt.status == 200]
    assert served == []


def test_a_compressed_body_is_refused_before_it_is_unpacked(locked: Running) -> None:
    bomb = gzip.compress(b"\0" * 10**7)
    for coding in ("gzip", "deflate", "br", "gzip, gzip"):
        assert ask(locked, f"Authorization: Bearer {KEY}", f"Content-Encoding: {coding}", body=bomb).status == 415


def test_a_body_in_a_hundred_thousand_chunks_costs_no_more_than_its_bytes(locked: Running) -> None:
    body = question("x" * 30_000)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    with Wire(locked.port, 30.0) as wire:
        reply = wire.send(head.encode() + chunks + b"0\r\n\r\n").read()
    assert reply is not None
    assert reply.status == 200


def test_no_compression_is_asked_for_and_a_bomb_is_passed_on_packed() -> None:
    bomb = gzip.compress(b"\0" * 10**7)
    with (
        ScriptedProvider(then=connection(send(last_reply(bomb, headers={"content-encoding": "gzip"})))) as provider,
        Running(plan_for(provider.base_url)) as running,
    ):
        reply = ask(running, "Accept-Encoding: gzip, br")
        assert b"gzip" not in provider.requests[0].lower().partition(b"\r\n\r\n")[0]
        assert len(reply.body) < 10**6
        kept = running.look(lambda: running.runtime.parts.store.usage().entries)
        assert kept == 0


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_brackets_without_end_are_refused_and_the_next_is_served(locked: Running, opening: bytes) -> None:
    for body in (opening * 100_000, question()[:-1] + b', "x": ' + opening * 100_000 + b"}"):
        assert ask(locked, f"Authorization: Bearer {KEY}", body=body).status == 400
    assert ask(locked, f"Authorization: Bearer {KEY}").status == 200


ODD = ["\x1b[2J\x1b[31m", "\r\nSet-Cookie: a=b", "\x00", "\x07", "\u2028", "\x9b31m"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_no_control_character_of_a_request_reaches_the_log_or_a_header(locked: Running, odd: str) -> None:
    before = len(locked.logged.lines)
    replies = [ask(locked, f"Authorization: Bearer {KEY}", body=question(model=f"gpt-4o{odd}", user=odd))]
    printable = odd.encode("latin-1", "replace").decode("latin-1")
    if "\r" not in odd and "\0" not in odd:
        replies.append(ask(locked, f"Authorization: Bearer {KEY}", f"x-pennyworth-tags: a{printable}"))
        with Wire(locked.port) as wire:
            replies.append(wire.send(f"GET /{printable} HTTP/1.1\r\nHost: a\r\n\r\n".encode("latin-1")).read())
    for reply in replies:
        if reply is not None:
            assert "set-cookie" not in reply.headers
            assert all(value.isprintable() for value in reply.headers.values())
            assert all(char not in reply.body.decode("latin-1") for char in "\x1b\x07\x00")
    assert all(line.isprintable() for line in locked.logged.lines[before:] + locked.troubles)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_is_read_nowhere(guarded: GatewayThread, kind: str) -> None:
    admin = {"Authorization": "Bearer sk-admin-00112233445566", "Content-Type": kind}
    form = b"&".join(b"by%d=all" % number for number in range(10_000))
    for method, path in _routes(guarded):
        if method not in ("GET", "HEAD"):
            assert guarded.admin(method, path, form, admin).status == 415
    assert guarded.post(form, {"Authorization": f"Bearer {KEY}", "Content-Type": kind}).status in (400, 415)
