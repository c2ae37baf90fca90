"""Budgets over real worker processes: never overspent, used to the last cents, and exact after workers were killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from pennyworth.money import Money
from pennyworth.sandbox import SandboxServer, Settings
from tests.server.gateways import GatewayProcess, eventually

TEAMS = {"alice": "search", "bob": "search", "carol": ""}
CAP = 16
"""Tokens of output; the sandbox's answers are longer, so each call costs nearly the same."""

CONFIG = """
[listen]
workers = {workers}

[everyone]
budget_day = "{everyone} USD"

[teams.search]
budget_month = "{team} USD"
alert_at = [0.5, 1]

[keys.alice]
key = "sk-alice-0123456789abcdef"
team = "search"
budget_day = "{alice} USD"
requests_per_minute = 100000

[keys.bob]
key = "sk-bob-0123456789abcdef"
team = "search"

[keys.carol]
key = "sk-carol-0123456789abcdef"
"""


@pytest.fixture(scope="module")
def quick() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(seed=7)) as server:
        yield server


@contextmanager
def gateway(
    state_dir: Path, provider: SandboxServer, *, workers: int = 4, **budgets: Money
) -> Iterator[GatewayProcess]:
    config = state_dir.with_suffix(".toml")
    config.touch(mode=0o600)
    config.write_text(CONFIG.format(workers=workers, **{who: str(amount) for who, amount in budgets.items()}))
    with GatewayProcess(state_dir, provider.base_url, PENNYWORTH_CONFIG=str(config)) as running:
        yield running


async def ask_many(url: str, who: list[str], tag: str) -> list[int]:
    """All at once; the statuses in their order. A connection that broke is 0."""
    connector = aiohttp.TCPConnector(limit=0)

    async def ask(session: aiohttp.ClientSession, number: int, name: str) -> int:
        body = {
            "model": "gpt-4o-mini",
            "max_tokens": CAP,
            "messages": [{"role": "user", "content": f"Tell me a long story about {tag} number {number:05}, please."}],
        }
        headers = {"authorization": f"Bearer sk-{name}-0123456789abcdef"}
        try:
            async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as reply:
                await reply.read()
                return reply.status
        except aiohttp.ClientError:
            return 0

    async with aiohttp.ClientSession(connector=connector) as session:
        return await asyncio.gather(*(ask(session, number, name) for number, name in enumerate(who)))


def spent(running: GatewayProcess, by: str) -> dict[str, int]:
    """What the ledger says."""
    groups = running.get(f"/api/v1/totals?by={by}")["groups"]
    return {name: figures["spent"]["pico"] for name, figures in groups.items()}


def accounts(state_dir: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """(used, leased) of each money account."""
    with sqlite3.connect(f"file:{state_dir / 'quotas.db'}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT subject, since, until, used, leased FROM accounts WHERE unit = 'pico'").fetchall()
    db.close()
    return {
        (subject, "month" if until - since > 86_400 else "day"): (used, leased)
        for subject, since, until, used, leased in rows
    }


def one_call(state_dir: Path, provider: SandboxServer) -> Money:
    """What a call costs."""
    with gateway(
        state_dir, provider, workers=1, everyone=Money.usd(1), team=Money.usd(1), alice=Money.usd(1)
    ) as running:
        assert asyncio.run(ask_many(running.public_url, ["carol"], "money")) == [200]
        return Money(spent(running, "client")["carol"])


def use_up(running: GatewayProcess, state_dir: Path, name: str) -> None:
    """Asks until not one of eight calls is let in, though no worker holds anything back."""
    for number in range(200):
        held = any(leased for _, leased in accounts(state_dir).values())
        if 200 not in asyncio.run(ask_many(running.public_url, [name] * 8, f"{name} {number}")):
            if not held:
                return
            assert eventually(lambda: not any(leased for _, leased in accounts(state_dir).values()), 60.0)
    raise AssertionError("there is no end to it")


def test_how_limits_stand_is_told_by_admin_port_metrics_and_command(quick: SandboxServer, tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    with gateway(
        state_dir, quick, workers=1, everyone=Money.usd(1), team=Money.usd(2), alice=Money.usd("0.1")
    ) as running:
        assert asyncio.run(ask_many(running.public_url, ["alice", "carol"], "figures")) == [200, 200]
        by_client = spent(running, "client")
        rows = {}

        def told() -> bool:
            rows.update({(row["subject"], row["kind"]): row for row in running.get("/api/v1/budgets")["budgets"]})
            return rows["everyone", "budget"]["used"]["pico"] == sum(by_client.values())

        assert eventually(told), rows
        alice = rows["key:alice", "budget"]
        assert alice["used"]["pico"] == by_client["alice"]
        assert (alice["limit"], alice["period"], alice["at_limit"]) == ("0.1 USD a day", "day", "refuse")
        assert alice["ceiling"]["usd"] == "0.1"
        assert alice["share_used"] == pytest.approx(by_client["alice"] / 10**11, abs=1e-6)
        assert rows["key:alice", "requests"]["used"] <= 1
        assert list(rows) == [
            ("everyone", "budget"),
            ("team:search", "budget"),
            ("key:alice", "budget"),
            ("key:alice", "requests"),
        ]
        metrics = running.admin("GET", "/metrics").body.decode()
        assert 'pennyworth_limit_used_ratio{limit="budget",period="day",subject="everyone"}' in metrics
        config = str(state_dir.with_suffix(".toml"))
        for argv in (["--json"], []):
            command = [sys.executable, "-m", "pennyworth.cli", "budgets", "-c", config, "--state-dir", str(state_dir)]
            done = subprocess.run([*command, *argv], capture_output=True, text=True, check=True)
            assert "key:alice" in done.stdout
            assert "0.1 USD a day" in done.stdout


def test_a_budget_in_a_currency_without_a_rate_stops_the_start_with_its_key(tmp_path: Path) -> None:
    config = tmp_path / "pennyworth.toml"
    config.touch(mode=0o600)
    config.write_text('[keys.alice]\nkey = "sk-alice-0123456789abcdef"\nbudget_day = "10 CNY"\n')
    command = [sys.executable, "-m", "pennyworth.cli", "check", str(config), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    findings = [finding for finding in json.loads(done.stdout)["findings"] if "no rate" in finding["message"]]
    assert [(each["severity"], each["key"]) for each in findings] == [("error", "keys.alice.budget_day")]
    assert "[currency.CNY]" in findings[0]["fix"]


def test_a_thousand_calls_at_once_over_four_workers_overspend_nothing_and_waste_little(
    quick: SandboxServer, tmp_path: Path
) -> None:
    each = one_call(tmp_path / "before", quick).pico
    ceilings = {"alice": Money(150 * each), "team": Money(240 * each), "everyone": Money(400 * each)}
    state_dir = tmp_path / "state"
    with gateway(state_dir, quick, **ceilings) as running:
        callers = [("alice", "bob", "carol")[number % 3] for number in range(1000)]
        statuses = Counter(asyncio.run(ask_many(running.public_url, callers, "storm")))
        assert set(statuses) == {200, 429}, statuses
        for name in ("alice", "bob", "carol"):
            use_up(running, state_dir, name)
        by_client, by_team = spent(running, "client"), spent(running, "team")
        assert by_client["alice"] <= ceilings["alice"].pico
        assert by_team["search"] <= ceilings["team"].pico
        assert sum(by_client.values()) <= ceilings["everyone"].pico
        assert sum(by_client.values()) >= 0.9 * ceilings["everyone"].pico
        assert by_team["search"] >= 0.9 * ceilings["team"].pico
        books = {
            ("key:alice", "day"): (by_client["alice"], 0),
            ("team:search", "month"): (by_team["search"], 0),
            ("everyone", "day"): (sum(by_client.values()), 0),
        }
        assert eventually(lambda: accounts(state_dir) == books), (accounts(state_dir), books)


def test_workers_killed_in_the_middle_leave_neither_leases_nor_a_wrong_sum(
    quick: SandboxServer, tmp_path: Path
) -> None:
    wide = {"alice": Money.usd(100), "team": Money.usd(100), "everyone": Money.usd(100)}
    state_dir = tmp_path / "state"
    with gateway(state_dir, quick, workers=2, **wide) as running:
        for round_ in range(3):
            victims = list(running.workers().values())
            asked = asyncio.run(_storm_with_a_murder(running.public_url, victims[round_ % len(victims)], round_))
            assert 200 in asked
            assert eventually(lambda: len(running.workers()) == 2)

        def settled() -> bool:
            by_client = spent(running, "client")
            total = by_client["alice"] + by_client["bob"]
            return accounts(state_dir) == {
                ("key:alice", "day"): (by_client["alice"], 0),
                ("team:search", "month"): (total, 0),
                ("everyone", "day"): (total, 0),
            }

        assert eventually(settled, 60.0), (accounts(state_dir), spent(running, "client"))
        assert running.get("/api/v1/totals?by=client")["groups"]["alice"]["endings"].get("unknown", 0) >= 0


async def _storm_with_a_murder(url: str, victim: int, number: int) -> list[int]:
    calls = asyncio.ensure_future(ask_many(url, ["alice", "bob"] * 150, f"storm {number}"))
    await asyncio.sleep(0.15 + 0.1 * number)
    os.kill(victim, signal.SIGKILL)
    return await calls
