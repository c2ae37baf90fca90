"""A sandbox in a process of its own, and starting over."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys

import msgspec
import pytest

from pennyworth.sandbox import Latency, Rule, SandboxControl, SandboxServer, Settings


def ask(url: str, text: str = "hello", model: str = "gpt-4o") -> int:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    fields = {"model": model, "messages": [{"role": "user", "content": text}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(fields), {"authorization": "Bearer k"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_process_has_the_settings_of_whoever_started_it_and_ends_with_it():
    settings = Settings(prices={"m": {"input": "3", "output": "5"}}, rules=(Rule(kind="status", status=503, every=2),))
    with SandboxServer(settings, process=True) as sandbox:
        assert [ask(sandbox.url, model="m") for _ in range(4)] == [200, 503, 200, 503]
        assert sandbox.control.totals()["m"].billed == 2
        child = sandbox._runner._child
    assert child.returncode is not None


def test_the_module_runs_on_its_own_and_says_where():
    command = [sys.executable, "-m", "pennyworth.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        url = child.stdout.readline().decode().strip()
        assert ask(url) == 200
        assert SandboxControl(url).stats()["sandbox"] is True
        child.terminate()
        child.wait(timeout=10)


def test_stopping_breaks_what_is_under_way_and_may_be_done_twice():
    sandbox = SandboxServer()
    sandbox.start()
    connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=10)
    fields = {"model": "gpt-4o", "messages": [{"role": "user", "content": "FAULT:hang"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(fields), {"authorization": "Bearer k"})
    while not sandbox.control.stats()["in_flight"]:
        pass
    sandbox.stop()
    sandbox.stop()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()


def test_a_reset_empties_bill_counters_and_prompt_cache_and_brings_the_first_script_back(sandbox):
    sandbox.control.script([Rule(kind="status", status=500)])
    assert ask(sandbox.url, "word " * 3000) == 500
    sandbox.control.script([])
    assert ask(sandbox.url, "word " * 3000) == 200
    assert sandbox.control.stats()["prefixes"] > 0
    sandbox.control.script([Rule(kind="status", status=500)])
    sandbox.control.reset()
    assert list(sandbox.control.bill()) == []
    assert sandbox.control.totals() == {}
    stats = sandbox.control.stats()
    assert (stats["requests"], stats["prefixes"]) == (0, 0)
    assert ask(sandbox.url) == 200


def test_ids_go_on_after_a_reset_so_that_none_comes_twice(sandbox):
    ask(sandbox.url)
    (before,) = sandbox.control.bill()
    sandbox.control.reset()
    ask(sandbox.url)
    (after,) = sandbox.control.bill()
    assert before.request_id != after.request_id


def test_the_counters_tell_what_arrived(sandbox):
    for text in ("a", "FAULT:status=429", "FAULT:length"):
        ask(sandbox.url, text)
    ask(sandbox.url, model="gpt-9")
    stats = sandbox.control.stats()
    assert (stats["requests"], stats["completed"], stats["in_flight"]) == (4, 2, 0)
    assert stats["statuses"] == {"200": 2, "429": 1, "404": 1}
    assert stats["faults"] == {"status": 1, "length": 1}


def test_settings_travel_as_json_without_loss():
    settings = Settings(
        seed=3, latency=Latency(tokens_per_s=40), rules=(Rule(kind="cut", probability=0.25),), keys=("k",)
    )
    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings


def test_only_the_keys_of_the_settings_are_accepted():
    with SandboxServer(Settings(keys=("other",))) as sandbox:
        assert ask(sandbox.url) == 401
    with SandboxServer(Settings(keys=("k",))) as sandbox:
        assert ask(sandbox.url) == 200
