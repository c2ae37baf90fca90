"""``pennyworth forget`` and its admin route over real gateways: after it, no byte of theirs is in any file."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pennyworth.cli.main import run
from pennyworth.clients import ClientKey
from pennyworth.decide.key import Keyring
from pennyworth.ledgers.balance import balances
from pennyworth.sandbox import SandboxServer, Settings
from pennyworth.secret import Secret
from pennyworth.testing.chat_bytes import chat_json
from pennyworth.testing.scripted_server import connection, send, until
from tests.door.raw import Wire, post, question
from tests.door.running import Running, plan_for
from tests.door.scripted_provider import ScriptedProvider, last_reply
from tests.server.gateways import Gateway, GatewayProcess, GatewayThread, call, eventually
from tests.server.gateways import plan_for as plan_with_admin

ALICE, BOB = "alice@example.com", "bob@example.com"
CANARY = "canary-7f3a9c5e"
"""Stands in every question of Alice's; the sandbox puts the question into its answer's watermark and text."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(seed=5)) as server:
        yield server


def asks(gateway: Gateway, user: str, text: str, tag: str) -> Any:
    body = {"model": "gpt-4o-mini", "user": user, "messages": [{"role": "user", "content": text}]}
    reply = gateway.post(body, {"x-pennyworth-tags": tag})
    assert reply.status == 200
    return reply.json


def bytes_of(folder: Path) -> dict[str, bytes]:
    found = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and path.name != "secret":
                found[path.name] = path.read_bytes()
    return found


def holding(folder: Path, *canaries: str) -> list[tuple[str, str]]:
    return [(name, canary) for name, data in bytes_of(folder).items() for canary in canaries if canary.encode() in data]


def cli(*argv: str) -> Any:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run([*argv, "--json"])
    assert code == 0
    return json.loads(out.getvalue())


def pseudonym(folder: Path) -> str:
    return Keyring((folder / "secret").read_bytes()).pseudonym("end user", ALICE)


def traces(gateway: Gateway) -> list[str]:
    """What answers, receipts and journal hold of her: the ids of her answers, and her tag."""
    answers = [asks(gateway, ALICE, f"{CANARY} {number}: what is an umbrella?", "alice-tag-91") for number in range(3)]
    asks(gateway, ALICE, f"{CANARY} 0: what is an umbrella?", "alice-tag-91")
    asks(gateway, BOB, "what is a hat?", "bob-tag-17")
    return [answer["id"] for answer in answers]


def test_beside_several_workers_by_the_admin_port(tmp_path: Path, sandbox: SandboxServer) -> None:
    folder = tmp_path / "state"
    with GatewayProcess(folder, sandbox.base_url, PENNYWORTH_WORKERS="2") as gateway:
        ids = traces(gateway)
        assert eventually(lambda: {canary for _, canary in holding(folder, *ids)} == set(ids))
        before = gateway.get("/api/v1/totals")["groups"][""]
        dry = gateway.admin("POST", "/api/v1/forget", {"by": "user", "value": ALICE, "dry_run": True})
        assert dry.json["would_go"]["receipts"] == 4
        assert dry.json["would_go"]["answers"] == 3
        assert gateway.get("/api/v1/forget") == {"forgotten": []}
        done = gateway.admin("POST", "/api/v1/forget", {"by": "user", "value": ALICE})
        said = done.json["forgotten"]
        assert (done.status, said["confirmed"], said["workers"]) == (200, 2, 2)
        assert (said["gone"]["receipts"], said["gone"]["answers"], said["failed"]) == (4, 3, {})
        assert said["pseudonym"] == pseudonym(folder)
        assert eventually(lambda: holding(folder, *ids, "alice-tag-91") == [])
        where = {name for name, _ in holding(folder, pseudonym(folder))}
        assert {name.partition("-")[0] for name in where} <= {"control.db", "ledger.db"}, "only in the record of it"
        assert holding(folder, "bob-tag-17")
        again = gateway.admin("POST", "/api/v1/forget", {"by": "user", "value": ALICE}).json["forgotten"]
        assert set(again["gone"].values()) == {0}
        assert [each["by"] for each in gateway.get("/api/v1/forget")["forgotten"]] == ["user", "user"]
        assert gateway.get("/api/v1/totals")["groups"][""] == before
        answer = asks(gateway, ALICE, f"{CANARY} 0: what is an umbrella?", "new-tag")
        assert answer["id"] not in ids
        assert gateway.how("what is a hat?", user=BOB) == "exact"


def test_beside_a_running_gateway_by_the_command_line(tmp_path: Path, sandbox: SandboxServer) -> None:
    folder = tmp_path / "state"
    with GatewayThread(plan_with_admin(folder, sandbox.base_url)) as gateway:
        ids = traces(gateway)
        assert eventually(lambda: {canary for _, canary in holding(folder, *ids)} == set(ids))
        assert cli("forget", "--user", ALICE, "--dry-run", "--state-dir", str(folder))["would_go"]["answers"] == 3
        said = cli("forget", "--user", ALICE, "--state-dir", str(folder))["forgotten"]
        assert (said["gone"]["receipts"], said["gone"]["answers"], said["workers"]) == (4, 3, 1)
        assert eventually(lambda: holding(folder, *ids, "alice-tag-91") == [])
        assert asks(gateway, ALICE, f"{CANARY} 0: what is an umbrella?", "new-tag")["id"] not in ids


def test_without_a_gateway_by_the_command_line(tmp_path: Path, sandbox: SandboxServer) -> None:
    folder = tmp_path / "state"
    with GatewayThread(plan_with_admin(folder, sandbox.base_url)) as gateway:
        ids = traces(gateway)
    assert {canary for _, canary in holding(folder, *ids)} == set(ids)
    said = cli("forget", "--user", ALICE, "--state-dir", str(folder))["forgotten"]
    assert (said["gone"]["receipts"], said["gone"]["answers"], said["workers"]) == (4, 3, 0)
    assert holding(folder, *ids, "alice-tag-91") == []
    assert set(cli("forget", "--user", ALICE, "--state-dir", str(folder))["forgotten"]["gone"].values()) == {0}
    assert len(cli("forget", "--list", "--state-dir", str(folder))["forgotten"]) == 2


@pytest.mark.parametrize(("by", "flag"), [("user", "--user"), ("key", "--key"), ("scope", "--scope")])
def test_a_key_or_a_scope_goes_as_a_user_does(tmp_path: Path, by: str, flag: str) -> None:
    values = {"user": ALICE, "key": "canary-shop", "scope": "canary-team"}
    key = ClientKey(name="canary-shop", secret=Secret("sk-shop-000000000"), scope="canary-team")
    other = ClientKey(name="other", secret=Secret("sk-other-00000000"), scope="other")
    with ScriptedProvider(then=connection(send(last_reply(chat_json("canary-answer"))))) as provider:
        plan = plan_for(provider.base_url, state_dir=str(tmp_path), keys=(key, other), allow_anonymous=False)
        with Running(plan) as running:
            for secret, user in (("sk-shop-000000000", ALICE), ("sk-other-00000000", BOB)):
                with Wire(running.port) as wire:
                    wire.send(post(question(f"from {user}", user=user), f"Authorization: Bearer {secret}")).read()
            receipt = next(each for each in running.receipts() if each.client == "canary-shop")
            assert (receipt.scope, bool(receipt.end_user)) == ("canary-team", True)
    said = cli("forget", flag, values[by], "--state-dir", str(tmp_path))["forgotten"]
    assert (said["gone"]["receipts"], said["gone"]["answers"]) == (1, 1)
    assert values[by] != said["pseudonym"]
    files = {name: data for name, data in bytes_of(tmp_path).items() if not name.startswith("control")}
    if by != "user":
        assert [name for name, data in files.items() if values[by].encode() in data] == []
    assert b"canary-answer" in files["answers.db"], "the other key's answer is his own"


class InFlight:
    """Alice's question is at the provider while she is forgotten."""

    def __init__(self, folder: Path) -> None:
        self.go_on = asyncio.Event()
        self.provider = ScriptedProvider([connection(until(self.go_on), send(last_reply(chat_json("canary-late"))))])
        self.folder = folder

    def run(self) -> list[Any]:
        with self.provider as provider, Running(plan_for(provider.base_url, state_dir=str(self.folder))) as running:
            with Wire(running.port) as wire:
                wire.send(post(question("late", user=ALICE), "x-pennyworth-tags: alice-tag-91"))
                assert eventually(lambda: len(provider.requests) == 1)
                cli("forget", "--user", ALICE, "--state-dir", str(self.folder))
                seen = running.look(lambda: running.runtime.state.control.version)
                assert seen == 1, "the worker had not read the control row when the command returned"
                provider.release(self.go_on)
                reply = wire.read()
            assert reply is not None
            assert b"canary-late" in reply.body, "she gets what she asked for"
            return running.receipts()


def test_a_request_under_way_is_answered_but_nothing_of_it_is_written_down(tmp_path: Path) -> None:
    (receipt,) = InFlight(tmp_path).run()
    assert (receipt.end_user, receipt.tags, receipt.key) == ("", (), "")
    assert receipt.spent.pico > 0
    assert balances(receipt)
    assert holding(tmp_path, "canary-late", "alice-tag-91") == []


def test_forgetting_in_memory_works_too(sandbox: SandboxServer) -> None:
    with GatewayThread(plan_with_admin(Path(":memory:"), sandbox.base_url)) as gateway:
        ids = traces(gateway)
        said = gateway.admin("POST", "/api/v1/forget", {"by": "user", "value": ALICE}).json["forgotten"]
        assert said["gone"] == {"receipts": 4, "promises": 0, "answers": 3}
        assert asks(gateway, ALICE, f"{CANARY} 1: what is an umbrella?", "t")["id"] not in ids
        assert gateway.how("what is a hat?", user=BOB) == "exact"


@pytest.mark.parametrize(
    "body",
    [{"by": "everybody", "value": "x"}, {"by": "user"}, {"by": "user", "value": ""}, {"by": "key", "value": "x" * 513}],
)
def test_a_wrong_call_changes_nothing_and_says_what_to_send(sandbox: SandboxServer, body: object) -> None:
    with GatewayThread(plan_with_admin(Path(":memory:"), sandbox.base_url)) as gateway:
        reply = gateway.admin("POST", "/api/v1/forget", body)
        assert reply.status == 400
        assert reply.json["error"]["fix"]
        assert call(gateway.public_url, "POST", "/api/v1/forget", {"by": "user", "value": ALICE}).status == 404
        assert gateway.get("/api/v1/control")["version"] == 0


@pytest.mark.parametrize("argv", [[], ["--user", "a", "--key", "b"], ["--user", ""], ["--list", "--user", "a"]])
def test_the_command_wants_exactly_one(tmp_path: Path, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["forget", *argv, "--state-dir", str(tmp_path)]) == 2
    assert "Give one of --user, --key, --scope or --list." in capsys.readouterr().err


def test_an_encrypted_gateway_answers_from_its_file_after_a_restart_and_the_file_says_nothing(tmp_path: Path) -> None:
    with ScriptedProvider(then=connection(send(last_reply(chat_json("canary-answer"))))) as provider:
        for _ in range(2):
            plan = plan_with_admin(tmp_path, provider.base_url, cache={"encrypt": True})
            with GatewayThread(plan) as gateway:
                assert gateway.ask("what is a hat?", user=ALICE).status == 200
        assert len(provider.requests) == 1
    answers = b"".join(data for name, data in bytes_of(tmp_path).items() if name.startswith("answers.db"))
    for canary in (b"canary-answer", b"gpt-4o-mini", b"local", pseudonym(tmp_path).encode()):
        assert canary not in answers
    assert cli("forget", "--user", ALICE, "--state-dir", str(tmp_path))["forgotten"]["gone"]["answers"] == 1


def test_in_words_it_says_what_went_what_is_out_of_reach_and_who_was_forgotten(
    tmp_path: Path, sandbox: SandboxServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with GatewayThread(plan_with_admin(tmp_path, sandbox.base_url)) as gateway:
        traces(gateway)
    where = ("--state-dir", str(tmp_path))
    assert run(["forget", "--list", *where]) == 0
    assert "Nobody was forgotten here." in " ".join(capsys.readouterr().out.split())
    assert run(["forget", "--user", ALICE, "--dry-run", *where]) == 0
    assert (
        "would change 4 receipts, 0 journal lines, 0 damaged files, 0 promises, 3 answers. Nothing was changed."
        in " ".join(capsys.readouterr().out.split())
    )
    assert run(["forget", "--user", ALICE, *where]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "4 receipts, 0 journal lines, 0 damaged files, 0 promises, 3 answers" in said
    assert "Out of reach: what providers keep of it in their own logs" in said
    assert ALICE not in said
    assert run(["forget", "--list", *where]) == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert pseudonym(tmp_path) in listed
    assert ALICE not in listed
