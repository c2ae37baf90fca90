"""Another configuration while it runs: in force everywhere or nowhere, and what is under way keeps what it began with."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pennyworth.config import Source
from pennyworth.errors import ConfigError
from pennyworth.sandbox import SandboxServer
from pennyworth.testing.chat_bytes import chat_events, chat_json
from pennyworth.testing.scripted_server import connection, send, until
from tests.door.scripted_provider import ScriptedProvider, last_reply, last_stream
from tests.server.gateways import Gateway, GatewayProcess, GatewayThread, Reply, eventually, paused

Question = Callable[[], str]


class File:
    """A configuration file that is written anew."""

    def __init__(self, folder: Path, start: str) -> None:
        self.path = folder / "pennyworth.toml"
        self._start = f"{start}\n"
        self.holds("")

    def holds(self, text: str) -> None:
        other = self.path.with_suffix(".new")
        other.write_text(self._start + text)
        other.chmod(0o600)
        other.rename(self.path)  # whole, as an editor or a deployment puts it there


def reload(gateway: Gateway) -> Reply:
    return gateway.admin("POST", "/api/v1/reload", {})


def applied(gateway: Gateway) -> Any:
    done = reload(gateway)
    assert done.status == 200, done.body
    return done.json


@contextmanager
def one_process(file: File, **env: str) -> Iterator[GatewayThread]:
    source = Source(env, str(file.path))
    with GatewayThread(source.read(), source.read) as gateway:
        yield gateway


def starting(folder: Path, **tables: str) -> str:
    """Free ports and a state directory. Its tables stand in one place, because TOML takes each of them once."""
    rest = "".join(f"[{name}]\n{text}\n" for name, text in tables.items())
    return f'state_dir = "{folder / "state"}"\n[listen]\nport = 0\n[admin]\nport = 0\n{rest}'


def provider(name: str, url: str, price: str) -> str:
    return f"""
[providers.{name}]
base_url = "{url}"
[models.m]
provider = "{name}"
price = {{ input = "{price}", output = "0" }}
"""


def waiting(event: asyncio.Event, *, stream: bool) -> Any:
    """A reply of ten prompt tokens that comes when the event is set; of a stream the first part comes at once."""
    if not stream:
        return connection(until(event), send(last_reply(chat_json("late", model="m"))))
    raw = last_stream(chat_events(["it ", "is late"], usage=(10, 5), model="m"))
    cut = raw.index(b"is late") - 300
    return connection(send(raw[:cut]), until(event), send(raw[cut:]))


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_under_way_keeps_its_provider_its_price_and_its_plan(tmp_path: Path, stream: bool) -> None:
    held = asyncio.Event()
    file = File(tmp_path, starting(tmp_path))
    other = ScriptedProvider([connection(send(last_reply(chat_json("new", model="m"))))])
    with ScriptedProvider([waiting(held, stream=stream)]) as old, other as new:
        file.holds(provider("old", old.base_url, "1"))
        with one_process(file) as gateway:
            got: list[Reply] = []
            body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "who?"}]}
            caller = threading.Thread(target=lambda: got.append(gateway.post(body)))
            caller.start()
            assert eventually(lambda: len(old.requests) == 1)
            file.holds(provider("new", new.base_url, "7"))
            done = applied(gateway)
            later = gateway.receipt_of(
                gateway.post(body | {"stream": False, "messages": [{"role": "user", "content": "?"}]})
            )
            old.release(held)
            caller.join(20.0)
            first = gateway.receipt_of(got[0])
    assert (first["target"], first["spent"]["usd"], first["plan"]) == ("old/m", "0.00001", done["before"])
    assert (later["target"], later["spent"]["usd"], later["plan"]) == ("new/m", "0.00007", done["plan"])


def test_a_changed_overlay_is_read_again_and_a_broken_one_refuses_the_reload(
    tmp_path: Path, provider: SandboxServer, question: Question
) -> None:
    overlay = tmp_path / "prices.toml"

    def cost(gateway: Gateway) -> str:
        return str(gateway.receipt_of(gateway.ask(question()))["price_source"])

    def priced(multiplier: str) -> None:
        overlay.write_text(f'[[price]]\nprovider = "*"\nmodel = "*"\nlike = "openai/*"\nmultiplier = {multiplier}\n')

    priced('"2"')
    file = File(tmp_path, starting(tmp_path, prices=f'overlay = "{overlay}"') + _openai(provider))
    with one_process(file) as gateway:
        assert "2 ×" in cost(gateway)
        priced('"3"')
        assert "2 ×" in cost(gateway), "nothing is read before it is asked for"
        assert applied(gateway)["changes"] == []
        assert "3 ×" in cost(gateway)
        priced('"much"')
        refused = reload(gateway)
        assert (refused.status, refused.json["error"]["code"]) == (422, "configuration_refused")
        assert "multiplier" in refused.json["error"]["problems"][0]["key"]
        assert "3 ×" in cost(gateway)


def test_a_request_under_way_pays_by_the_overlay_it_began_with(tmp_path: Path) -> None:
    overlay, held = tmp_path / "prices.toml", asyncio.Event()

    def priced(dollars: str) -> None:
        overlay.write_text(f'[[price]]\nprovider = "*"\nmodel = "*"\ninput = "{dollars}"\noutput = "0"\n')

    priced("1")
    with ScriptedProvider([waiting(held, stream=False)]) as scripted:
        start = starting(tmp_path, prices=f'overlay = "{overlay}"')
        with one_process(File(tmp_path, f'{start}[providers.p]\nbase_url = "{scripted.base_url}"\n')) as gateway:
            got: list[Reply] = []
            caller = threading.Thread(target=lambda: got.append(gateway.ask("who?")))
            caller.start()
            assert eventually(lambda: len(scripted.requests) == 1)
            priced("7")
            applied(gateway)
            scripted.release(held)
            caller.join(20.0)
            assert gateway.receipt_of(got[0])["spent"]["usd"] == "0.00001"
            assert gateway.receipt_of(gateway.ask("who?"))["would_have_cost"]["usd"] == "0.00007"


def _openai(sandbox: SandboxServer) -> str:
    return f'[providers.openai]\nbase_url = "{sandbox.base_url}"\nkey = "sk-sandbox"\n'


@pytest.mark.parametrize(
    ("bad", "keys"),
    [
        ("[limits\n", ["pennyworth.toml"]),
        (
            "[limits]\ndrain = 'soon'\nmax_depth = 4\n[cache]\nsize = 1\n",
            ["cache.size", "limits.max_depth", "limits.drain"],
        ),
        (
            "[limits]\ndrain = '1s'\n[cache]\nmax_entries = 5\nl1_bytes = '1MiB'\n",
            ["cache.max_entries", "cache.l1_bytes"],
        ),
        ("[lifetimes.mine]\nttl = '1h'\npatterns = ['(?=x)']\n", ["lifetimes.mine.patterns[0]"]),
        ("[prices]\noverlay = 'nowhere.toml'\n", ["prices.overlay"]),
        ("[keys.ci]\nenv = 'NOT_SET'\n", ["keys.ci.env"]),
        ("\0", ["pennyworth.toml"]),
    ],
)
def test_a_bad_file_is_refused_whole_with_every_reason(
    tmp_path: Path, provider: SandboxServer, question: Question, bad: str, keys: list[str]
) -> None:
    file = File(tmp_path, starting(tmp_path) + _openai(provider))
    with one_process(file) as gateway:
        before = gateway.receipt_of(gateway.ask(question()))["plan"]
        file.holds(bad)
        refused = reload(gateway)
        said = refused.json["error"]
        assert refused.status == 422
        assert len(said["problems"]) == len(keys)
        assert all(any(key in each["key"] for each in said["problems"]) for key in keys), said
        assert all(each["problem"] and each["fix"] for each in said["problems"])
        assert gateway.receipt_of(gateway.ask(question()))["plan"] == before
        assert len([line for line in gateway.told if "warning: refused" in line]) == len(keys)
        assert _metric(gateway, 'reloads_total{outcome="refused"}') == 1.0
        file.holds("[limits]\ndrain = '1s'\n")
        assert applied(gateway)["changes"] == [{"key": "limits.drain", "what": "25s → 1s"}]


def _metric(gateway: Gateway, name: str) -> float:
    text = gateway.admin("GET", "/metrics").body.decode()
    return float(next(line for line in text.splitlines() if line.startswith(f"pennyworth_{name}")).split()[-1])


def test_a_file_that_is_gone_and_no_file_at_all_change_nothing(
    tmp_path: Path, provider: SandboxServer, gateway: GatewayThread
) -> None:
    file = File(tmp_path, starting(tmp_path) + _openai(provider))
    with one_process(file) as running:
        file.path.unlink()
        assert reload(running).status == 422
        assert running.ask("still there?").status == 200
    assert (reload(gateway).status, reload(gateway).json["error"]["code"]) == (409, "no_configuration_file")


def test_what_is_taken_away_is_gone_at_once_and_what_is_added_serves(tmp_path: Path, provider: SandboxServer) -> None:
    """Client keys, the admin key, limits of what is read, headers that belong into the key."""
    file = File(tmp_path, starting(tmp_path) + _openai(provider))
    file.holds("[keys.a]\nenv = 'A'\n[keys.b]\nenv = 'B'\n")
    with one_process(
        file, A="client-key-aaaaaaaaaa", B="client-key-bbbbbbbbbb", ADMIN="admin-key-cccccccccc"
    ) as gateway:

        def ask(key: str, size: int = 10) -> int:
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x" * size}]}
            return gateway.post(body, {"Authorization": f"Bearer client-key-{key * 10}"}).status

        assert [ask("a"), ask("b"), ask("a", 3000)] == [200, 200, 200]
        file.holds("[keys.b]\nenv = 'B'\n[limits]\nmax_body_bytes = 2000\n")
        file.path.write_text(file.path.read_text().replace("[admin]\n", "[admin]\nkey_env = 'ADMIN'\n"))
        said = applied(gateway)
        assert {each["key"] for each in said["changes"]} == {"keys.a", "limits.max_body_bytes", "admin.key"}
        assert [ask("a"), ask("b"), ask("b", 3000)] == [401, 200, 413]
        assert reload(gateway).status == 401
        admitted = gateway.admin("POST", "/api/v1/reload", {}, {"Authorization": "Bearer admin-key-cccccccccc"})
        assert admitted.status == 200
    assert not any("cccc" in line for line in gateway.told)


def test_a_reload_during_the_drain_is_refused(tmp_path: Path, provider: SandboxServer) -> None:
    file = File(tmp_path, starting(tmp_path) + _openai(provider))
    file.holds("[limits]\ndrain = '20s'\n")
    with one_process(file) as gateway:
        stream = gateway.open_stream("A long goodbye. FAULT:drip=1", max_tokens=1)
        gateway.stop()
        assert eventually(lambda: gateway.admin("GET", "/readyz").status == 503)
        refused = reload(gateway)
        assert (refused.status, refused.json["error"]["code"]) == (409, "shutting_down")
        assert stream.read().endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("limit", ["max_headers = 10", "max_body_bytes = 2000"])
def test_an_idle_connection_follows_the_new_limits_with_its_next_request(
    tmp_path: Path, provider: SandboxServer, limit: str
) -> None:
    file = File(tmp_path, starting(tmp_path) + _openai(provider))
    with one_process(file) as gateway:
        at = urlsplit(gateway.public_url)
        kept = socket.create_connection((at.hostname, at.port), timeout=20.0)
        body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "y" * 3000}]})
        head = ["POST /v1/chat/completions HTTP/1.1", f"Host: {at.netloc}", f"Content-Length: {len(body)}"]
        asked = "\r\n".join([*head, *(f"X-{number}: 1" for number in range(20)), "", body]).encode()

        def post() -> int:
            kept.sendall(asked)  # in one piece, which is how a head that is known is known again
            reply = http.client.HTTPResponse(kept)
            reply.begin()
            reply.read()
            return reply.status

        assert [post(), post(), post()] == [200, 200, 200]
        file.holds(f"[limits]\n{limit}\n")
        applied(gateway)
        assert post() in (413, 431)
        kept.close()


# Several workers.


class Caller(threading.Thread):
    """Asks one question after the other on one connection until it is told to stop; every third is streamed."""

    def __init__(self, gateway: Gateway, number: int, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.receipts: list[str] = []
        self.failed: list[str] = []
        self._at = urlsplit(gateway.public_url).netloc
        self._number = number
        self._over = over

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._at, timeout=20.0)
        for turn in itertools.count():
            if self._over.is_set():
                return
            question = f"Caller {self._number} asks thing {turn // 2}"
            body = {
                "model": "gpt-4o-mini",
                "stream": turn % 3 == 0,
                "messages": [{"role": "user", "content": question}],
            }
            try:
                connection.request(
                    "POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"}
                )
                reply = connection.getresponse()
                data = reply.read()
                if reply.status != 200 or (body["stream"] and not data.endswith(b"data: [DONE]\n\n")):
                    self.failed.append(f"{reply.status} {data[:200]!r}")
                self.receipts.append(str(reply.headers["x-pennyworth-receipt"]))
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                return


@pytest.fixture(scope="module")
def fleet(provider: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, File]]:
    folder = tmp_path_factory.mktemp("reloading")
    file = File(folder, "[limits]\ndrain = '5s'")
    env = {"PENNYWORTH_WORKERS": "2", "PENNYWORTH_CONFIG": str(file.path), "PENNYWORTH_LOG_LEVEL": "warning"}
    with GatewayProcess(folder / "state", provider.base_url, **env) as running:
        yield running, file


def test_a_hundred_reloads_under_load_fail_nobody(fleet: tuple[GatewayProcess, File]) -> None:
    gateway, file = fleet
    over = threading.Event()
    callers = [Caller(gateway, number, over) for number in range(6)]
    for caller in callers:
        caller.start()
    plans = set()
    try:
        for turn in range(100):
            file.holds(f"max_depth = {64 + turn % 2}\n[cache]\nearn_after = {3 + turn % 2}\n")
            done = applied(gateway)
            assert (done["confirmed"], done["workers"]) == (2, 2)
            plans.add(done["plan"])
            workers = gateway.get("/api/v1/cache/stats")["workers"]
            assert {worker["plan"] for worker in workers} == {done["plan"]}
    finally:
        over.set()
    for caller in callers:
        caller.join(20.0)
    assert [line for caller in callers for line in caller.failed] == []
    asked = [each for caller in callers for each in caller.receipts]
    assert len(asked) > 100
    booked = dict(_plans(gateway))
    known = plans | {gateway.lines[0].split("plan ")[1].rstrip(")")}
    assert len(plans) == 2
    assert {booked[each] for each in asked} <= known


def _plans(gateway: Gateway) -> Iterator[tuple[str, str]]:
    """Of every receipt, its id and the Plan it was made under."""
    path = "/api/v1/receipts?limit=1000"
    while path:
        page = gateway.get(path)
        yield from ((each["id"], each["plan"]) for each in page["receipts"])
        path = page["next"]


def test_a_storm_of_signals_ends_with_the_last_file_in_force(fleet: tuple[GatewayProcess, File]) -> None:
    gateway, file = fleet
    for turn in range(60):
        file.holds(f"max_depth = {70 + turn}\n")
        os.kill(gateway.child.pid, signal.SIGHUP)
        assert gateway.ask(f"Storm {turn}").status == 200
    want = Source({}, str(file.path)).read().limits
    assert want.max_depth == 129

    def in_force() -> bool:
        return _depth_allowed(gateway) == 129

    assert eventually(in_force)
    assert len(gateway.workers()) == 2


def _depth_allowed(gateway: Gateway) -> int:
    """The deepest nesting that every worker takes, by asking."""
    for deep in (129, 100):
        nested: Any = "x"
        for _ in range(deep - 4):
            nested = [nested]
        if all(gateway.ask("deep", metadata={"x": nested}).status == 200 for _ in range(6)):
            return deep
    return 0


def test_a_worker_started_later_starts_with_the_new_plan(fleet: tuple[GatewayProcess, File]) -> None:
    gateway, file = fleet
    file.holds("max_depth = 99\n")
    plan = applied(gateway)["plan"]
    victim = gateway.workers()["w0"]
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: gateway.workers().get("w0", victim) != victim and len(gateway.workers()) == 2)
    workers = gateway.get("/api/v1/cache/stats")["workers"]
    assert {worker["plan"] for worker in workers} == {plan}


def test_reloads_while_workers_die_and_come_back_leave_one_plan(fleet: tuple[GatewayProcess, File]) -> None:
    gateway, file = fleet
    plan = ""
    for turn in range(12):
        if turn % 3 == 0:
            assert eventually(lambda: len(gateway.workers()) == 2, 40.0)
            os.kill(next(iter(gateway.workers().values())), signal.SIGKILL)
        file.holds(f"max_depth = {30 + turn}\n")
        assert eventually(lambda: reload(gateway).status in (200, 202))
        plan = applied_or_late(gateway)

    def agree() -> bool:
        workers = gateway.get("/api/v1/cache/stats")["workers"]
        return len(workers) == 2 and {worker["plan"] for worker in workers} == {plan}

    assert eventually(agree, 30.0)


def applied_or_late(gateway: Gateway) -> str:
    done = reload(gateway)
    assert done.status in (200, 202), done.body
    return str(done.json["plan"])


def test_a_worker_that_hangs_refuses_the_reload_and_nothing_is_changed(fleet: tuple[GatewayProcess, File]) -> None:
    gateway, file = fleet
    assert eventually(lambda: reload(gateway).status == 200, 40.0)
    before = applied(gateway)["plan"]
    file.holds("max_depth = 44\n")
    with paused(gateway.workers()["w1"]):
        began = time.monotonic()
        refused = reload(gateway)
        assert (refused.status, refused.json["error"]["code"]) == (503, "worker_silent")
        assert time.monotonic() - began < 30.0
    assert eventually(lambda: len(gateway.workers()) == 2)
    assert {worker["plan"] for worker in gateway.get("/api/v1/cache/stats")["workers"]} == {before}
    assert applied(gateway)["before"] == before


def test_a_hangup_sent_to_a_worker_ends_nothing(fleet: tuple[GatewayProcess, File]) -> None:
    gateway, _ = fleet
    workers = gateway.workers()
    for pid in workers.values():
        os.kill(pid, signal.SIGHUP)
    assert gateway.ask("alive?").status == 200
    assert gateway.workers() == workers


def test_a_refusal_by_signal_is_in_the_log(tmp_path: Path) -> None:
    file = File(tmp_path, "[limits]\ndrain = '5s'")
    with GatewayProcess(tmp_path / "state", PENNYWORTH_CONFIG=str(file.path)) as gateway:
        file.holds("max_depth = 'deep'\n[cache]\nnothing = 1\n")
        os.kill(gateway.child.pid, signal.SIGHUP)
        log = ""
        assert gateway.child.stderr is not None
        while "limits.max_depth" not in log or "cache.nothing" not in log:
            line = gateway.child.stderr.readline()
            assert line, log
            log += line
        assert gateway.ask("alive?").status == 200
    assert "the old configuration stays" in log


def test_a_source_gathers_what_the_check_finds(tmp_path: Path) -> None:
    file = File(tmp_path, "[providers.openai]\nkey = 'sk-in-the-file-1234567890'")
    assert Source({}, str(file.path)).read().providers
    file.path.chmod(0o644)
    with pytest.raises(ConfigError, match="lets other users of this machine at it"):
        Source({}, str(file.path)).read()
