"""Two gateways in one process share nothing: not answers, not counters, not books, not switches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pennyworth.sandbox import SandboxServer
from tests.server.gateways import GatewayThread, plan_for


def test_two_gateways_in_one_process_do_not_mix(
    provider: SandboxServer, tmp_path: Path, question: Callable[[], str]
) -> None:
    plans = [plan_for(tmp_path / name, provider.base_url) for name in ("one", "two")]
    asked = question()
    with GatewayThread(plans[0]) as one, GatewayThread(plans[1]) as two:
        assert [one.how(asked), one.how(asked)] == ["upstream", "exact"]
        assert two.how(asked) == "upstream"
        one.admin("POST", "/api/v1/kill-switch", {"enabled": False})
        one.admin("POST", "/api/v1/purge", {"by": "all"})
        assert [one.how(asked), two.how(asked)] == ["upstream", "exact"]
        stats = [gateway.get("/api/v1/cache/stats") for gateway in (one, two)]
        assert [page["process"]["requests"] for page in stats] == [3, 2]
        assert [page["ledger"]["requests"] for page in stats] == [3, 2]
        assert [page["control"]["enabled"] for page in stats] == [False, True]
        ids = [{receipt["id"] for receipt in gateway.get("/api/v1/receipts")["receipts"]} for gateway in (one, two)]
        assert not ids[0] & ids[1]
    assert one.troubles == two.troubles == []


def test_a_kill_switch_thrown_earlier_is_still_thrown_after_a_restart(
    provider: SandboxServer, tmp_path: Path, question: Callable[[], str]
) -> None:
    plan, asked = plan_for(tmp_path / "state", provider.base_url), question()
    with GatewayThread(plan) as before:
        before.ask(asked)
        before.admin("POST", "/api/v1/kill-switch", {"enabled": False})
    with GatewayThread(plan) as after:
        assert "kill switch was thrown" in "".join(after.lines())
        assert after.how(asked) == "upstream"
        after.admin("POST", "/api/v1/kill-switch", {"enabled": True})
        assert after.how(asked) == "exact"


def test_everything_in_memory_serves_as_well_and_leaves_nothing_behind(
    provider: SandboxServer, tmp_path: Path, question: Callable[[], str]
) -> None:
    asked = question()
    with GatewayThread(plan_for(Path(":memory:"), provider.base_url)) as gateway:
        assert [gateway.how(asked), gateway.how(asked)] == ["upstream", "exact"]
        stats = gateway.get("/api/v1/cache/stats")
        assert stats["ledger"]["requests"] == stats["process"]["requests"] == 2
        assert stats["store"]["entries"] == stats["store"]["memory"]["entries"] >= 1
        assert gateway.admin("POST", "/api/v1/purge", {"by": "all"}).json["confirmed"] == 1
        assert gateway.how(asked) == "upstream"
    assert not Path(":memory:").exists()
