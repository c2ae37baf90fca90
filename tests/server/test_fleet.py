"""Several worker processes behind one socket: what one is told all go by, and what one dies of the others survive."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import parser

from pennyworth.sandbox import SandboxServer
from tests.server.gateways import Gateway, GatewayProcess, eventually, paused

Question = Callable[[], str]
CONFIGURATION = '[limits]\ndrain = "3s"\n'


@pytest.fixture(scope="module")
def fleet(provider: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "pennyworth.toml").write_text(CONFIGURATION)
    env = {"PENNYWORTH_WORKERS": "2", "PENNYWORTH_CONFIG": str(folder / "pennyworth.toml")}
    with GatewayProcess(folder / "state", provider.base_url, **env) as running:
        yield running


def ask_of(fleet: Gateway, worker: str, question: str) -> tuple[str, str]:
    """Asks this worker, by letting the other one hang meanwhile: where it was served from, and the answer's id."""
    (other,) = [pid for name, pid in fleet.workers().items() if name != worker]
    with paused(other):
        reply = fleet.ask(question)
    receipt = fleet.receipt_of(reply)
    assert receipt["worker"] == worker
    return receipt["served"], reply.json["id"]


def test_all_workers_go_by_the_same_plan_and_say_so(fleet: GatewayProcess) -> None:
    stats = fleet.get("/api/v1/cache/stats")
    assert len({worker["pid"] for worker in stats["workers"]} | {fleet.child.pid}) == 3
    assert {worker["plan"] for worker in stats["workers"]} == {fleet.lines[0].split("plan ")[1].rstrip(")")}
    assert fleet.get("/readyz")["ready"] == ["w0", "w1"]


def test_a_purge_is_in_force_in_every_worker_when_it_is_answered(fleet: GatewayProcess, question: Question) -> None:
    asked = question()
    for worker in ("w0", "w1"):
        ask_of(fleet, worker, asked)
    kept = [ask_of(fleet, worker, asked) for worker in ("w0", "w1")]  # from the memory of each
    assert [served for served, _ in kept] == ["exact", "exact"]
    began = time.monotonic()
    said = fleet.admin("POST", "/api/v1/purge", {"by": "model", "value": "gpt-4o-mini"})
    took_s = time.monotonic() - began
    assert (said.status, said.json["confirmed"], said.json["workers"]) == (200, 2, 2)
    assert took_s < 2.0
    again = [ask_of(fleet, worker, asked)[1] for worker in ("w0", "w1")]
    assert not {answer for _, answer in kept} & set(again)


def test_the_kill_switch_reaches_every_worker_and_receipts_go_on(fleet: GatewayProcess, question: Question) -> None:
    asked = question()
    for worker in ("w0", "w1"):
        ask_of(fleet, worker, asked)
    off = fleet.admin("POST", "/api/v1/kill-switch", {"enabled": False}).json
    assert (off["enabled"], off["confirmed"], off["workers"]) == (False, 2, 2)
    assert [ask_of(fleet, worker, asked)[0] for worker in ("w0", "w1")] == ["upstream", "upstream"]
    on = fleet.admin("POST", "/api/v1/kill-switch", {"enabled": True}).json
    assert (on["enabled"], on["confirmed"]) == (True, 2)
    assert ask_of(fleet, "w0", asked)[0] == "exact"


def test_a_worker_that_hangs_is_named_and_holds_nothing_up(fleet: GatewayProcess, question: Question) -> None:
    before = fleet.get("/api/v1/cache/stats")["process"]["requests"]
    with paused(fleet.workers()["w1"]):
        began = time.monotonic()
        text = fleet.admin("GET", "/metrics").body.decode()
        assert time.monotonic() - began < 5.0
        stats = fleet.get("/api/v1/cache/stats")
        assert stats["silent_workers"] == ["w1"]
        assert stats["process"]["requests"] == before  # what it had counted is not forgotten
        said = fleet.admin("POST", "/api/v1/purge", {"by": "tag", "value": "none"})
        assert (said.status, said.json["confirmed"], said.json["workers"]) == (202, 1, 2)
        assert fleet.ask(question()).status == 200
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    assert families["pennyworth_silent_workers"].samples[0].value == 1
    assert eventually(lambda: fleet.get("/readyz")["silent"] == [])


def test_a_killed_worker_is_replaced_and_nothing_it_acknowledged_is_lost(
    fleet: GatewayProcess, question: Question
) -> None:
    asked = [question() for _ in range(4)]
    receipts = [fleet.ask(each).headers["x-pennyworth-receipt"] for each in asked for _ in range(2)]
    stream = fleet.open_stream("A sentence that never ends. FAULT:stall=4")
    stream.read(200)
    victim_name, victim = next(
        (worker["worker"], worker["pid"])
        for worker in fleet.get("/api/v1/cache/stats")["workers"]
        if worker["in_flight"] == 1
    )
    before = fleet.get("/api/v1/cache/stats")["process"]
    os.kill(victim, signal.SIGKILL)
    with contextlib.suppress(OSError, http.client.HTTPException):
        assert b"[DONE]" not in stream.read()
    assert eventually(lambda: fleet.workers().get(victim_name, victim) != victim)
    assert eventually(lambda: len(fleet.get("/readyz")["ready"]) == 2)
    after = fleet.get("/api/v1/cache/stats")
    assert after["process"]["requests"] == before["requests"]
    assert after["process"]["spent"] == before["spent"]
    assert after["worker_restarts"] == 1
    assert all(fleet.admin("GET", f"/api/v1/receipts/{each}").status == 200 for each in receipts)
    assert eventually(lambda: len(fleet.get("/api/v1/receipts?ending=unknown")["receipts"]) == 1)
    assert ask_of(fleet, victim_name, question())[0] == "upstream"


def test_told_to_stop_it_lets_streams_end_and_cuts_the_rest_off_with_an_error_event(fleet: GatewayProcess) -> None:
    """The last one: it ends the fleet that the others asked."""
    short = fleet.open_stream("A short goodbye. FAULT:drip=1", max_tokens=1)
    endless = fleet.open_stream("A long goodbye. FAULT:stall=4")
    short.read(100)
    endless.read(100)
    pids = fleet.workers().values()
    fleet.child.send_signal(signal.SIGTERM)
    assert short.read().endswith(b"data: [DONE]\n\n")
    assert b'"error"' in endless.read().rpartition(b"data: ")[2]
    assert fleet.child.wait(20.0) == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
