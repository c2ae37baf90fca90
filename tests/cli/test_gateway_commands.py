"""serve, replay and purge against a running gateway, as an operator uses them."""

import json
import time
import urllib.request

from .conftest import program


def ask(gateway, question, **headers):
    """A reply's status and headers."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}]}
    request = urllib.request.Request(
        gateway.base_url + "/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json"} | headers,
    )
    with urllib.request.urlopen(request) as reply:
        reply.read()
        return reply.headers


def is_asked_afresh(gateway, question):
    """Soon: workers look at the control row several times a second, a busy machine's a little later."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if "fwd=miss" in ask(gateway, question)["cache-status"]:
            return True
        time.sleep(0.1)
    return False


def test_a_replayed_file_is_answered_counted_and_accounted(gateway, tmp_path):
    file = tmp_path / "questions.txt"
    file.write_text("What is credit?\nWhat is debit?\nWhat is credit?\nWhat  is credit?\n")
    ended = program("replay", file, "--url", gateway.base_url, "--model", "gpt-4o-mini", "--concurrency", "1", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["requests"] == 4
    assert ended.json["served"] == {"exact": 1, "normalised": 1, "upstream": 2}
    assert ended.json["spent"]["pico"] + ended.json["saved"]["pico"] == ended.json["would_have_cost"]["pico"] > 0
    assert ended.json["latency"]["hits"]["count"] == 2


def test_the_cost_of_replayed_streams_comes_from_the_books(gateway, command, tmp_path):
    body = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "What is a stream?"}]}
    (tmp_path / "r.jsonl").write_text(json.dumps(body) + "\n")
    (tmp_path / "p.toml").write_text(f"state_dir = '{gateway.state_dir}'\n")
    ended = command("replay", "r.jsonl", "--url", gateway.base_url, "--config", "p.toml", "--json")
    assert ended.code == 0
    assert ended.json["unknown"] == 0
    assert ended.json["spent"]["pico"] > 0


def test_a_replayed_request_that_gets_no_answer_is_said_with_its_line_and_ends_with_1(gateway, command, tmp_path):
    lines = [{"messages": [{"role": "user", "content": text}]} for text in ("Fine?", "FAULT:status=503")]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, lines)))
    ended = command("replay", "r.jsonl", "--url", gateway.base_url, "--model", "gpt-4o-mini")
    assert ended.code == 1
    assert "line 2: 503" in ended.err
    assert "1 failed" in ended.out


def test_nothing_at_the_address_ends_with_3_and_nothing_is_sent(command, tmp_path):
    (tmp_path / "q.txt").write_text("What is credit?\n")
    ended = command("replay", "q.txt", "--url", "http://127.0.0.1:9/v1", "--model", "gpt-4o-mini")
    assert ended.code == 3
    assert "http://127.0.0.1:9/v1" in ended.err
    assert "pennyworth serve" in ended.err


def test_a_purge_is_in_force_in_a_running_gateway_and_receipts_stay(gateway, command):
    tagged = {"x-pennyworth-tags": "fees"}
    ask(gateway, "What are the fees?", **tagged)
    assert "hit" in ask(gateway, "What are the fees?", **tagged)["cache-status"]
    ended = program("purge", "--tag", "fees", "--state-dir", gateway.state_dir, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["purged"] == {"by": "tag", "value": "fees"}
    assert is_asked_afresh(gateway, "What are the fees?")
    listed = command("receipts", "--state-dir", gateway.state_dir, "--json").json["receipts"]
    assert {"upstream", "exact"} <= {each["served"] for each in listed if each.get("tags") == ["fees"]}


def test_a_purge_by_the_key_on_a_receipt_takes_that_answer_alone(gateway, command):
    ask(gateway, "What is a key?")
    ask(gateway, "What is a lock?")
    told = command("receipts", "--state-dir", gateway.state_dir, "-n", "2", "--json").json["receipts"]
    assert command("purge", "--key", told[1]["key"], "--state-dir", gateway.state_dir).code == 0
    assert is_asked_afresh(gateway, "What is a key?")
    assert "hit" in ask(gateway, "What is a lock?")["cache-status"]


def test_a_purge_says_what_it_did_in_words(gateway, command):
    ended = command("purge", "--older-than", "1h", "--state-dir", gateway.state_dir)
    assert ended.code == 0
    assert "Purged the answers older than 1h." in ended.out
    assert "within a second" in ended.out


def test_a_purge_needs_exactly_one_selection_and_a_usable_one(gateway, command):
    at = ("--state-dir", gateway.state_dir)
    for argv, said in (
        ((), "Nothing was selected"),
        (("--all", "--model", "gpt-4o"), "--all, --model"),
        (("--key", "xyz"), "hex digits"),
        (("--older-than", "yesterday"), "yesterday"),
    ):
        ended = command("purge", *argv, *at)
        assert ended.code == 2
        assert said in ended.err


def test_serve_says_which_address_is_taken_and_how_to_choose_another(gateway, command):
    port = gateway.base_url.rsplit(":", 1)[1].removesuffix("/v1")
    ended = command("serve", "--port", port, "--admin-port", "0")
    assert ended.code == 2
    assert port in ended.err
    assert "PENNYWORTH_PORT" in ended.err
    assert "Traceback" not in ended.err


def test_serve_refuses_an_open_door_given_on_the_command_line_too(command):
    ended = command("serve", "--host", "0.0.0.0", "--port", "0")
    assert ended.code == 2
    assert "key" in ended.err
