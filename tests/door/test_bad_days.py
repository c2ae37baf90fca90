"""The disk under a running gateway goes bad: every request is served, the receipt says what failed, the counters count
it, the log says it once, and when the day is over everything is as before."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pennyworth.outcome import Receipt
from pennyworth.plan import CacheSpec
from pennyworth.sandbox import SandboxServer
from tests.door.raw import RawReply, Wire, post, question
from tests.door.running import Running, eventually, plan_for
from tests.server.gateways import GatewayProcess

Ask = Callable[[], str]
NO_MEMORY = CacheSpec(l1_entries=1, l1_bytes=1, slow_s=5.0)
"""Nothing is kept in memory, so that the file is always asked; and a loaded machine does not make it slow."""


@contextlib.contextmanager
def house(sandbox: SandboxServer, folder: Path, cache: CacheSpec = NO_MEMORY) -> Iterator[Running]:
    with Running(plan_for(sandbox.base_url, state_dir=str(folder), cache=cache)) as running:
        yield running
        assert running.logged.lines == []


def ask(running: Running, text: str) -> RawReply:
    with Wire(running.port) as wire:
        reply = wire.send(post(question(text))).read()
    assert reply is not None
    assert reply.status == 200
    return reply


def how(running: Running, text: str) -> str:
    """Asks, and tells from where it was served."""
    return "hit" if "; hit;" in ask(running, text).headers["cache-status"] else "miss"


def troubles(running: Running, part: str) -> int:
    return running.look(lambda: running.runtime.state.counters.troubles.get(part, 0))


def noted(receipts: list[Receipt], part: str) -> list[str]:
    return [note for receipt in receipts for note in receipt.notes if note.startswith(part)]


def until_kept(running: Running, text: str) -> None:
    assert eventually(lambda: how(running, text) == "hit")


def _garbage(path: Path) -> None:
    _all_in_the_file(path)
    path.write_bytes(os.urandom(200_000))


def _nothing(path: Path) -> None:
    _all_in_the_file(path)
    path.write_bytes(b"")


def _all_in_the_file(path: Path) -> None:
    """What SQLite has written lately lies in its log, and would outlive the file."""
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def _another_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("fate", [_garbage, _nothing, _gone, _another_folder])
def test_a_store_that_is_destroyed_while_it_is_used_costs_hits_and_nothing_else(
    sandbox: SandboxServer, tmp_path: Path, ask_about: Ask, fate: Callable[[Path], None]
):
    known = ask_about()
    with house(sandbox, tmp_path) as running:
        until_kept(running, known)
        path = tmp_path / "answers.db"
        fate(path)
        for _ in range(20):
            ask(running, known)
            ask(running, ask_about())
        if path.is_dir():
            assert eventually(lambda: any("cannot be opened" in line for line in running.troubles))
            late = ask_about()
            assert [how(running, late) for _ in range(3)] == ["miss"] * 3
            assert noted(running.receipts(), "store: answers.db: "), "the receipt says why it was no hit"
            path.rmdir()
        until_kept(running, known)
        assert all(receipt.status == 200 for receipt in running.receipts())
        if fate in (_garbage, _nothing):
            moved = "moved to answers.db.corrupt"
            assert eventually(lambda: any(moved in line for line in running.troubles))
            assert sum(moved in line for line in running.troubles) == 1, running.troubles


def test_a_store_that_is_slow_is_left_alone_and_the_receipt_says_so(
    sandbox: SandboxServer, tmp_path: Path, ask_about: Ask
):
    """With no time allowed, every question to the file is too slow."""
    with house(sandbox, tmp_path, CacheSpec(l1_entries=1, l1_bytes=1, slow_s=0.0)) as running:
        known = ask_about()
        for _ in range(10):
            ask(running, known)
        notes = noted(running.receipts(), "store: ")
        assert notes
        assert all("slow: a " in note and note.endswith(", skipped") for note in notes), notes
        assert troubles(running, "store") >= len(notes)


def test_a_store_that_another_process_holds_is_waited_for_by_nobody(
    sandbox: SandboxServer, tmp_path: Path, ask_about: Ask
):
    known = ask_about()
    with house(sandbox, tmp_path) as running:
        until_kept(running, known)
        with contextlib.closing(sqlite3.connect(tmp_path / "answers.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert how(running, known) == "hit", "reading goes on"
            late = ask_about()
            assert how(running, late) == "miss"
            assert eventually(lambda: any("answers.db" in line for line in running.troubles), 5.0)
            assert how(running, ask_about()) == "miss"
            other.execute("ROLLBACK")
        until_kept(running, ask_about())


def test_a_control_row_that_is_destroyed_leaves_the_last_one_in_force(
    sandbox: SandboxServer, tmp_path: Path, ask_about: Ask
):
    with house(sandbox, tmp_path) as running:
        for path in tmp_path.glob("control.db*"):
            path.write_bytes(os.urandom(100_000))
        assert eventually(lambda: any(line.startswith("control: ") for line in running.troubles), 5.0)
        known = ask_about()
        until_kept(running, known)
        assert troubles(running, "control") > 0


def test_a_journal_folder_that_is_taken_away_is_told_and_stops_nobody(
    sandbox: SandboxServer, tmp_path: Path, ask_about: Ask
):
    """The file under the worker's descriptor is gone: what is written there can be read by nobody. The next goes on."""
    with house(sandbox, tmp_path) as running:
        ask(running, ask_about())
        shutil.rmtree(tmp_path / "journal")
        assert eventually(lambda: bool(ask(running, ask_about())) and bool(running.troubles))
        assert any("deleted while in use" in line for line in running.troubles), running.troubles
        assert troubles(running, "journal") >= 1
        last = ask(running, ask_about())
        assert last.headers["x-pennyworth-receipt"] in {receipt.id for receipt in running.receipts()}


@pytest.fixture
def process(sandbox: SandboxServer, tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path / "state", sandbox.base_url) as started:
        yield started


@pytest.mark.skipif(sys.platform != "linux", reason="a limit can be put on another process on Linux alone")
def test_a_full_disk_stops_nobody_and_is_never_silent(process: GatewayProcess, ask_about: Ask):
    """No file of the process may grow by a byte: journal, ledger, store and control row alike."""
    known = ask_about()
    assert process.ask(known).status == 200
    pid = process.child.pid
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, most))
    fresh = [ask_about() for _ in range(20)]
    assert {process.ask(text).status for text in fresh} == {200}
    assert "; hit;" in process.ask(known).headers["cache-status"]
    assert "; hit;" in process.ask(fresh[0]).headers["cache-status"], "memory keeps what the disk cannot"
    assert eventually(lambda: process.ask(ask_about()).status == 200 and "store" in _troubles(process))
    assert _troubles(process)["journal"] >= 20
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
    assert _booked_again(process, ask_about)
    assert process.get("/api/v1/cache/stats")["process"]["requests"] >= 24
    process.child.terminate()
    log = [json.loads(line) for line in process.child.communicate(timeout=20)[1].splitlines()]
    for part in ("journal", "store"):
        lines = [line for line in log if line.get("part") == part]
        assert 1 <= len(lines) <= 3, log
        assert all(line["level"] == "warning" for line in lines)


def _troubles(process: GatewayProcess) -> dict[str, int]:
    return dict(process.get("/api/v1/cache/stats")["process"]["troubles"])


def _booked_again(process: GatewayProcess, ask_about: Ask) -> bool:
    """Whether requests reach the ledger now that there is room."""

    def look() -> bool:
        reply = process.ask(ask_about())
        found = process.admin("GET", f"/api/v1/receipts/{reply.headers['x-pennyworth-receipt']}")
        return found.status == 200 and not json.loads(found.body).get("notes")

    return eventually(look)
