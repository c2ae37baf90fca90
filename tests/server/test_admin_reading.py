"""The admin routes that look: what they say is what was asked through the public door."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from tests.server.gateways import GatewayThread

Question = Callable[[], str]
DOCS = Path(__file__).parents[2] / "docs" / "admin-api.md"


def differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[int, int, int, int]:
    """Requests, exact hits, picodollars spent and saved between two pages of figures."""
    return (
        after["requests"] - before["requests"],
        after["hits"]["exact"] - before["hits"]["exact"],
        after["spent"]["pico"] - before["spent"]["pico"],
        after["saved"]["pico"] - before["saved"]["pico"],
    )


def test_a_repeated_question_is_a_hit_in_the_ledger_and_in_the_process(
    gateway: GatewayThread, question: Question
) -> None:
    before = gateway.get("/api/v1/cache/stats")
    asked = question()
    first, second = gateway.ask(asked), gateway.ask(asked)
    after = gateway.get("/api/v1/cache/stats")
    spent = gateway.receipt_of(first)["spent"]["pico"]
    assert spent > 0
    assert first.json["choices"] == second.json["choices"]
    assert differences(before["ledger"], after["ledger"]) == (2, 1, spent, spent)
    assert differences(before["process"], after["process"]) == (2, 1, spent, spent)
    assert after["process"]["kept"] == before["process"]["kept"] + 1


def test_spent_and_saved_by_layer_add_up_to_what_it_would_have_cost(gateway: GatewayThread, question: Question) -> None:
    asked = question()
    for _ in range(3):
        gateway.ask(asked)
    stats = gateway.get("/api/v1/cache/stats")
    for page in (stats["ledger"], stats["process"]):
        layers = sum(amount["pico"] for amount in page["saved_by_layer"].values())
        assert page["spent"]["pico"] + layers == page["would_have_cost"]["pico"]
        assert page["saved"]["pico"] == layers


def test_stats_show_the_store_its_limits_and_the_switches_in_force(gateway: GatewayThread, question: Question) -> None:
    gateway.ask(question())
    stats = gateway.get("/api/v1/cache/stats")
    assert stats["store"]["memory"]["entries"] >= 1
    assert 0 < stats["store"]["memory"]["bytes"] < stats["store"]["memory"]["max_bytes"]
    assert stats["store"]["max_entries"] == 1_000_000
    assert stats["store"]["trouble"] == ""
    assert stats["control"]["switches"]["strict"]["exact"] == "on"
    assert [worker["worker"] for worker in stats["workers"]] == ["w0"]
    assert stats["workers"][0]["rss_bytes"] > 10**7


def test_a_window_leaves_out_what_is_older(gateway: GatewayThread, question: Question) -> None:
    gateway.ask(question())
    time.sleep(0.05)
    assert gateway.get("/api/v1/totals?window=10ms")["groups"][""]["requests"] == 0
    assert gateway.get("/api/v1/totals?window=1h")["groups"][""]["requests"] >= 1


@pytest.mark.parametrize("by", ["model", "scope", "served", "route", "day", "hour"])
def test_totals_by_any_group_add_up_to_the_totals(gateway: GatewayThread, question: Question, by: str) -> None:
    gateway.ask(question())
    whole = gateway.get("/api/v1/totals")["groups"][""]
    groups = gateway.get(f"/api/v1/totals?by={by}&window=24h")["groups"]
    for name in ("requests", "upstream_calls"):
        assert sum(group[name] for group in groups.values()) == whole[name]
    assert sum(group["spent"]["pico"] for group in groups.values()) == whole["spent"]["pico"]


def test_totals_by_model_name_the_models(gateway: GatewayThread, question: Question) -> None:
    gateway.ask(question(), model="gpt-4o")
    assert {"gpt-4o"} <= gateway.get("/api/v1/totals?by=model")["groups"].keys()


def test_a_receipt_is_found_by_the_id_on_the_reply_at_once(gateway: GatewayThread, question: Question) -> None:
    reply = gateway.ask(question())
    receipt = gateway.receipt_of(reply)
    assert receipt["id"] == reply.headers["x-pennyworth-receipt"]
    assert receipt["spent"]["usd"] == reply.headers["x-pennyworth-spent"]
    assert receipt["served"] == "upstream"
    assert receipt["attempts"][0]["target"] == "sandbox/gpt-4o-mini"


def test_receipts_come_newest_first_and_page_without_loss(gateway: GatewayThread, question: Question) -> None:
    asked = [gateway.ask(question()).headers["x-pennyworth-receipt"] for _ in range(5)]
    first = gateway.get("/api/v1/receipts?limit=2")
    second = gateway.get(first["next"])
    third = gateway.get(second["next"])
    seen = [receipt["id"] for page in (first, second, third) for receipt in page["receipts"]]
    assert seen[:5] == asked[::-1]


def test_receipts_are_filtered_and_the_next_page_keeps_the_filter(gateway: GatewayThread, question: Question) -> None:
    for _ in range(2):
        asked = question()
        gateway.ask(asked)
        gateway.ask(asked)
    page = gateway.get("/api/v1/receipts?served=exact&limit=1&model=gpt-4o-mini&ending=complete&route=rest")
    following = gateway.get(page["next"])
    assert [receipt["served"] for receipt in page["receipts"] + following["receipts"]] == ["exact", "exact"]
    assert gateway.get("/api/v1/receipts?scope=nobody") == {"receipts": [], "next": None}


def test_metrics_parse_and_say_what_the_stats_say(gateway: GatewayThread, question: Question) -> None:
    gateway.ask(question())
    text = gateway.admin("GET", "/metrics")
    families = {family.name: family for family in parser.text_string_to_metric_families(text.body.decode())}
    process = gateway.get("/api/v1/cache/stats")["process"]
    requests = families["pennyworth_requests"].samples
    assert sum(sample.value for sample in requests) == process["requests"]
    assert families["pennyworth_spent_picodollars"].samples[0].value == process["spent"]["pico"]
    upstream = [sample for sample in requests if sample.labels["served"] == "upstream"]
    counts = {
        sample.labels["served"]: sample.value
        for sample in families["pennyworth_request_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert counts["upstream"] == sum(sample.value for sample in upstream)
    calls = {(s.labels["target"], s.labels["status"]) for s in families["pennyworth_upstream_calls"].samples}
    assert ("sandbox/gpt-4o-mini", "200") in calls
    assert {sample.labels["tier"] for sample in families["pennyworth_store_bytes"].samples} == {"memory", "shared"}
    assert families["pennyworth_build_info"].samples[0].labels["version"]


def test_metrics_speak_openmetrics_to_those_who_ask(gateway: GatewayThread) -> None:
    reply = gateway.admin("GET", "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in openmetrics.text_string_to_metric_families(reply.body.decode())}
    assert "pennyworth_saved_usd" in names


def test_health_and_readiness(gateway: GatewayThread) -> None:
    assert gateway.get("/healthz") == {"status": "ok"}
    assert gateway.get("/readyz") == {"status": "ready", "ready": ["w0"], "silent": []}


def test_the_index_lists_every_route_and_the_manual_explains_it(gateway: GatewayThread) -> None:
    routes = gateway.get("/")["routes"]
    assert len(routes) >= 16
    manual = re.findall(r"^## `([A-Z]+ [^`]+)`$", DOCS.read_text(), re.MULTILINE)
    assert sorted(manual) == sorted([*routes, "GET /"])


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("/api/v1/cache/stats?window=yesterday", "window", "yesterday"),
        ("/api/v1/cache/stats?window=0s", "window", "0s"),
        ("/api/v1/cache/stats?widow=1h", "widow", "1h"),
        ("/api/v1/totals?by=colour", "by", "colour"),
        ("/api/v1/totals?window=1h&window=2h", "window", "2h"),
        ("/api/v1/receipts?limit=0", "limit", "0"),
        ("/api/v1/receipts?limit=1001", "limit", "1001"),
        ("/api/v1/receipts?limit=ten", "limit", "ten"),
        ("/api/v1/receipts?limit=%D9%A3", "limit", "٣"),
        ("/api/v1/receipts?before=nan", "before", "nan"),
        ("/api/v1/receipts?before=tomorrow", "before", "tomorrow"),
        ("/api/v1/receipts?model=", "model", ""),
        ("/api/v1/receipts?end_user=x", "end_user", "x"),
        ("/api/v1/receipts/r-1%20or%201", "id", "r-1 or 1"),
        ("/api/v1/control?x=1", "x", "1"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_a_fix(
    gateway: GatewayThread, path: str, field: str, value: str
) -> None:
    reply = gateway.admin("GET", path)
    error = reply.json["error"]
    assert (reply.status, error["code"], error["field"], error["value"]) == (400, "wrong_input", field, value)
    assert error["fix"] in error["message"]
    assert error["fix"].endswith(".")


def test_a_receipt_that_is_not_there_is_404_and_says_where_ids_come_from(gateway: GatewayThread) -> None:
    reply = gateway.admin("GET", "/api/v1/receipts/r-00000000000-0-0")
    assert reply.status == 404
    assert "x-pennyworth-receipt" in reply.json["error"]["fix"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v1/receipts/", 404, "not_found"),
        ("GET", "/api/v1/purge", 405, "method_not_allowed"),
        ("DELETE", "/api/v1/receipts", 405, "method_not_allowed"),
    ],
)
def test_paths_and_methods_that_do_not_exist_are_json_errors(
    gateway: GatewayThread, method: str, path: str, status: int, code: str
) -> None:
    reply = gateway.admin(method, path, headers={"Content-Type": "application/json"})
    assert (reply.status, reply.json["error"]["code"]) == (status, code)
