"""``pennyworth batch`` as a process against a real gateway engine and a simulated provider: asked once, whatever happens."""

import json
import signal

import pytest

from pennyworth.sandbox.faults import Rule
from pennyworth.sandbox.watermark import check_answer

from .conftest import line, question, questions, write


def text_of(out):
    return out["response"]["body"]["choices"][0]["message"]["content"]


def test_every_line_is_answered_in_the_order_of_the_file_in_openais_format(place):
    lines = write(place.folder / "in.jsonl", questions(30)).read_text().splitlines()
    told = place.run()
    assert (told["lines"], told["answered"], told["left"]) == (30, 30, 0)
    for asked, out in zip(map(json.loads, lines), place.out(), strict=True):
        assert out["custom_id"] == asked["custom_id"]
        assert out["error"] is None
        assert out["response"]["status_code"] == 200
        assert check_answer(text_of(out), asked["body"], "Bearer sk-batch") is None
    assert place.spent() == place.billed() == told["spent"]["pico"] > 0


def test_equal_bodies_are_asked_once_and_sampled_ones_each_time(place):
    same = [line(f"s{n}", question("What is love?")) for n in range(10)]
    sampled = [line(f"t{n}", question("Say a number", temperature=1)) for n in range(5)]
    write(place.folder / "in.jsonl", same + sampled)
    told = place.run("--concurrency", 4)
    assert told["answered"] == 15
    assert len(place.bill()) == 6
    assert len({text_of(out) for out in place.out()[:10]}) == 1


def test_a_wrong_line_gets_an_error_of_its_own_and_stops_nobody(place):
    write(
        place.folder / "in.jsonl",
        [
            line("a", question("What is love?")),
            "{not json",
            {"url": "/v1/chat/completions", "body": question("No name?")},
            line("a", question("Twice?")),
            line("b", question("Where?"), url="/v1/elsewhere"),
            line("c", {"model": "sim-1", "messages": []}),
            line("d", question("A stream?", stream=True)),
            {"custom_id": "e", "method": "GET", "url": "/v1/chat/completions", "body": {}},
            {"custom_id": "f", "url": "/v1/chat/completions"},
            line("g", question("FAULT:status=403")),
            line("z", question("And what is life?")),
        ],
    )
    told = place.run(code=1)
    out = place.out()
    assert [each["error"] and each["error"]["code"] for each in out] == [
        None,
        "invalid_json",
        "missing_custom_id",
        "duplicate_custom_id",
        "invalid_url",
        None,
        None,
        "invalid_method",
        "missing_body",
        None,
        None,
    ]
    assert [each["response"] and each["response"]["status_code"] for each in out] == [
        *(200, None, None, None, None, 400, 400, None, None, 403, 200)
    ]
    assert told["errors"] == {"line": 6, "failed": 3, "unknown": 0}
    assert "line 4" in out[3]["error"]["message"]


def test_errors_go_to_a_file_of_their_own_where_one_is_named(place):
    write(place.folder / "in.jsonl", [line("a", question("Fine?")), "nonsense", line("b", question("Fine too?"))])
    place.run("--errors", "bad.jsonl", code=1)
    assert [out["custom_id"] for out in place.out()] == ["a", "b"]
    assert [out["error"]["code"] for out in place.out("bad.jsonl")] == ["invalid_json"]


def test_killed_again_and_again_it_pays_for_no_line_twice_and_loses_none(place):
    place.sandbox.control.script([Rule(kind="drip", pause_s=0.0002)])
    count = 120
    write(place.folder / "in.jsonl", questions(count))
    kills = 0
    while True:
        wanted = place.recorded() + 15
        if not place.stop_when(lambda least=wanted: place.recorded() >= least, argv=("--concurrency", 6)):
            break
        kills += 1
    assert kills >= 3
    out = place.out()
    assert [each["custom_id"] for each in out] == [f"q{n}" for n in range(count)]
    answered = [each for each in out if each["response"]["status_code"] == 200]
    lost = [each for each in out if each["response"]["status_code"] == 409]
    assert len(answered) + len(lost) == count
    assert len(lost) <= 6 * kills
    assert all(each["response"]["body"]["error"]["code"] == "outcome_unknown" for each in lost)
    assert len(place.bill()) <= count  # each question was asked once at most
    reconcile(place)


def reconcile(place):
    """Call by call: what we booked is what was charged; what we do not know, we said so of."""
    bill = {each.request_id: each.amount_pico for each in place.bill() if each.billed}
    booked = {
        attempt.provider_request_id: attempt.spent.pico
        for receipt in place.receipts()
        for attempt in receipt.attempts
        if attempt.provider_request_id and attempt.spent
    }
    unknown = [receipt for receipt in place.receipts() if receipt.ending == "unknown"]
    assert booked.items() <= bill.items()
    assert len(bill) - len(booked) <= len(unknown)


def test_what_is_unknown_is_asked_again_only_when_that_is_said(place):
    place.sandbox.control.script([Rule(kind="hang", marker="never", times=1)])
    write(place.folder / "in.jsonl", [line("a", question("What is it?")), line("b", question("It never comes?"))])
    place.stop_when(lambda: place.recorded() >= 1 and place.sandbox.control.stats()["in_flight"] == 1)
    told = place.run(code=1)
    assert told["errors"]["unknown"] == 1
    assert place.out()[1]["response"]["body"]["error"]["code"] == "outcome_unknown"
    told = place.run(code=1)
    assert told["errors"]["unknown"] == 1
    assert len(place.bill()) == 2
    told = place.run("--retry-unknown")
    assert told["answered"] == 2
    assert [out["response"]["status_code"] for out in place.out()] == [200, 200]


def test_what_failed_is_asked_again_when_that_is_said_and_the_rest_is_not(place):
    place.sandbox.control.script([Rule(kind="status", status=500, marker="bad")])
    write(place.folder / "in.jsonl", [*questions(5), line("x", question("A bad one"))])
    assert place.run(code=1)["errors"]["failed"] == 1
    place.sandbox.control.script([])
    calls = len(place.bill())
    assert place.run("--retry-failed")["answered"] == 6
    assert len(place.bill()) == calls + 1
    assert not (place.folder / "out.jsonl.part").exists()


def test_told_to_stop_it_lets_what_is_under_way_end_and_the_books_are_equal_to_the_picodollar(place):
    place.sandbox.control.script([Rule(kind="drip", pause_s=0.0003)])
    write(place.folder / "in.jsonl", questions(80))
    running = place.stop_when(lambda: place.recorded() >= 10, signal.SIGTERM, ("--concurrency", 5))
    assert running
    assert not (place.folder / "out.jsonl").exists()
    assert place.run("--concurrency", 20)["answered"] == 80
    assert place.spent() == place.billed()
    assert len(place.bill()) == 80


def test_the_kept_answers_of_one_batch_serve_the_next(place):
    write(place.folder / "in.jsonl", questions(10))
    place.run()
    for name in ("out.jsonl", "out.jsonl.batch"):
        (place.folder / name).unlink()
    told = place.run()
    assert told["served"] == {"exact": 10}
    assert told["spent"]["pico"] == 0
    assert len(place.bill()) == 10


def test_too_many_requests_are_waited_for(place):
    place.sandbox.control.script([Rule(kind="status", status=429, retry_after="0", times=4)])
    write(place.folder / "in.jsonl", questions(4))
    assert place.run()["answered"] == 4


def test_a_provider_that_is_not_there_is_waited_for_as_long_as_was_said_and_costs_nothing(place):
    text = (place.folder / "c.toml").read_text().replace(place.sandbox.base_url, "http://127.0.0.1:9/v1")
    (place.folder / "c.toml").write_text(text)
    write(place.folder / "in.jsonl", questions(2))
    told = place.run("--patience", "1s", code=1)
    assert told["errors"]["failed"] == 2
    place.configure()
    assert place.run("--retry-failed")["answered"] == 2


@pytest.mark.parametrize("change", ["another", "longer"])
def test_a_file_that_was_changed_meanwhile_is_refused(place, change):
    path = write(place.folder / "in.jsonl", questions(3))
    place.run()
    write(path, questions(3, "Who was") if change == "another" else questions(4))
    place.run(code=1)
    assert "has been changed since" in place.err


def test_a_foreign_file_is_not_overwritten(place):
    write(place.folder / "in.jsonl", questions(1))
    (place.folder / "out.jsonl").write_text("mine")
    place.run(code=1)
    assert "is there already" in place.err
    assert (place.folder / "out.jsonl").read_text() == "mine"


def test_two_at_once_do_not_write_one_output(place):
    place.sandbox.control.script([Rule(kind="hang", times=1)])
    write(place.folder / "in.jsonl", questions(1))
    first = place.start()
    try:
        while not place.recorded() and place.sandbox.control.stats()["in_flight"] < 1:
            pass
        place.run(code=1)
        assert "another pennyworth batch" in place.err
    finally:
        first.kill()
        first.communicate()


KEY = "pw-alice-0123456789abcdef"


def test_a_client_key_is_needed_where_callers_need_one_and_its_budget_is_kept(place):
    place.configure(tail=f'[keys.alice]\nkey = "{KEY}"\nbudget_day = "0.0004 USD"\n')
    write(place.folder / "in.jsonl", [line(n, question(f"What is {n}?", max_tokens=400)) for n in "abcdef"])
    place.run(code=2)
    assert "client key" in place.err
    told = place.run("--key-env", "ALICE", code=1, env={"ALICE": KEY})
    assert told["errors"]["failed"] == 6  # each may cost more than there is
    assert {out["response"]["status_code"] for out in place.out()} == {429}
    assert {receipt.client for receipt in place.receipts()} == {"alice"}
    assert not place.bill()


def test_a_dry_run_counts_what_is_there_and_sends_nothing(place):
    write(
        place.folder / "in.jsonl",
        [line("a", question("What is love?")), line("b", question("What is love?")), "nonsense", *questions(2)],
    )
    told = place.run("--dry-run")
    assert (told["lines"], told["repeats"], told["kept"], told["asked"]) == (5, 1, 0, 3)
    assert told["problems"] == {"invalid_json": 1}
    assert told["through"]["pico"] < told["direct"]["pico"]
    assert not (place.folder / "state").exists()
    assert not place.bill()
    place.run(code=1)
    again = place.run("--dry-run", "--deadline", "1h")
    assert (again["kept"], again["asked"], again["through"]["pico"]) == (3, 0, 0)
