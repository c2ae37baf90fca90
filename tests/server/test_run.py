"""``run``: what it says, what it refuses, and how it ends, as the process that people start."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import socket
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from pennyworth.assemble import open_ledger
from pennyworth.clients import KeySet, VirtualKey
from pennyworth.errors import ConfigError
from pennyworth.plan import Listen, Plan
from pennyworth.sandbox import SandboxServer
from pennyworth.server.doors import open_doors
from pennyworth.server.run import lines, run
from pennyworth.view import Control
from tests.server.gateways import GatewayProcess, call, plan_for


def test_without_a_provider_the_sandbox_answers_and_ctrl_c_drains_and_books_everything(tmp_path: Path) -> None:
    (tmp_path / "pennyworth.toml").write_text('[limits]\ndrain = "2.5s"\n')
    state_dir = tmp_path / "state"
    with GatewayProcess(state_dir, PENNYWORTH_CONFIG=str(tmp_path / "pennyworth.toml")) as gateway:
        said = gateway.lines[-1]
        assert "simulator" in said
        _, url, _, header, _, body = shlex.split(said[said.index("curl ") :])
        base, name = url.removesuffix("/v1/chat/completions"), header.partition(": ")
        reply = call(base, "POST", "/v1/chat/completions", body.encode(), {name[0]: name[2]})
        assert reply.status == 200
        assert "Simulated answer" in reply.json["choices"][0]["message"]["content"]
        told = {**json.loads(body), "model": "claude-sonnet-5", "max_tokens": 60}
        spoken = call(base, "POST", "/v1/messages", json.dumps(told).encode(), {name[0]: name[2]})
        assert spoken.json["id"].startswith("msg_"), "asked in its caller's own dialect"
        short = gateway.open_stream("A short goodbye. FAULT:drip=1", max_tokens=1)
        endless = gateway.open_stream("A long goodbye. FAULT:stall=4")
        short.read(50)
        endless.read(50)
        gateway.child.send_signal(signal.SIGINT)
        assert short.read().endswith(b"data: [DONE]\n\n")
        assert b"shutting down" in endless.read().rpartition(b"data: ")[2]
        assert gateway.child.wait(20.0) == 0
    ledger = open_ledger(Plan(providers=(), state_dir=str(state_dir)))
    totals = ledger.totals(0.0, float("inf"))[""]
    ledger.close()
    assert totals.endings == {"complete": 2, "length": 1, "cut": 1}


def test_a_terminal_that_is_closed_ends_it_and_a_hangup_without_one_does_not(tmp_path: Path) -> None:
    window, terminal = pty.openpty()
    with GatewayProcess(tmp_path / "state", stdin=terminal) as gateway:
        gateway.child.send_signal(signal.SIGHUP)
        assert gateway.ask("alive?").status == 200
        os.close(window)
        gateway.child.send_signal(signal.SIGHUP)  # as the kernel does to who has no session of its own
        assert gateway.child.wait(20.0) == 0
    os.close(terminal)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "no key, this machine only"),
        ({}, "No client key is configured: it serves this machine only."),
        ({"PENNYWORTH_ADMIN_KEY": "admin-key-0123456789"}, "with the admin key"),
        ({"PENNYWORTH_KEY": "client-key-0123456789"}, '-H "Authorization: Bearer $PENNYWORTH_KEY"'),
        ({"PENNYWORTH_ENABLED": "false"}, "a plain proxy that writes receipts"),
        ({"PENNYWORTH_WORKERS": "3"}, "(3 workers, "),
    ],
)
def test_it_says_who_may_come_in_and_what_is_off(state_dir: Path, env: dict[str, str], said: str) -> None:
    plan = plan_for(state_dir, "http://127.0.0.1:9/v1", env)
    with closing(open_doors(plan)) as doors:
        told = "\n".join(lines(plan, doors, Control(), KeySet()))
    assert said in told
    assert "0123456789" not in told


def test_it_says_when_only_virtual_keys_open_the_door(state_dir: Path) -> None:
    key = VirtualKey(name="alice", seal="00" * 32, hint="last", created_s=1.0, scope="alice", revoked_s=2.0)
    plan = plan_for(state_dir, "http://127.0.0.1:9/v1")
    with closing(open_doors(plan)) as doors:
        told = "\n".join(lines(plan, doors, Control(), KeySet(keys={"alice": key})))
    assert "Callers need a key: 0 configured, 1 virtual (pennyworth keys list)." in told
    assert "it serves this machine only" not in told
    assert "Authorization: Bearer $PENNYWORTH_KEY" in told


@pytest.mark.parametrize(("section", "variable"), [("listen", "PENNYWORTH_PORT"), ("admin", "PENNYWORTH_ADMIN_PORT")])
def test_a_port_in_use_is_named_with_the_way_out(state_dir: Path, section: str, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"port": port, "admin_port": 0} if section == "listen" else {"port": 0, "admin_port": port}
        plan = Plan(providers=(), listen=Listen(**ports), state_dir=str(state_dir))
        with pytest.raises(ConfigError, match=rf"{section}\.port: {port} .* in use.*{variable}=0"):
            run(plan)


def test_an_address_that_is_not_ours_is_named(state_dir: Path) -> None:
    plan = Plan(providers=(), listen=Listen(host="192.0.2.1", port=0, admin_port=0), state_dir=str(state_dir))
    with pytest.raises(ConfigError, match=r"listen\.host: '192\.0\.2\.1'"):
        run(plan)


def test_workers_that_would_share_nothing_are_refused() -> None:
    plan = Plan(providers=(), listen=Listen(port=0, admin_port=0, workers=2), state_dir=":memory:")
    with pytest.raises(ConfigError, match=r"listen\.workers"):
        run(plan)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_state_directory_that_is_a_file_is_refused(provider: SandboxServer, tmp_path: Path, workers: int) -> None:
    (tmp_path / "file").write_text("")
    plan = plan_for(tmp_path / "file", provider.base_url)
    plan = msgspec.structs.replace(plan, listen=msgspec.structs.replace(plan.listen, workers=workers))
    with pytest.raises(ConfigError, match="state_dir"):
        run(plan)
