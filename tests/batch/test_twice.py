"""Nothing is paid for twice: by the same command again, by another one, or by a provider that says odd things."""

import json

import pytest

from pennyworth.sandbox.batches import Behaviour
from pennyworth.sandbox.faults import Rule

from .conftest import line, question, questions, until, write
from .meddler import Meddler, Said
from .test_deadline import MESSAGES

WAIT = ("--deadline", "1h", "--poll", "100ms")


def sampled(count):
    """Lines whose answers are never kept."""
    return [line(f"t{n}", question(f"Say number {n}", temperature=1)) for n in range(count)]


def sent(place):
    return any(lane["state"] == "sent" for lane in place.card()["lanes"])


@pytest.mark.parametrize("argv", [(), WAIT])
def test_a_finished_batch_is_not_asked_again(place, argv):
    write(place.folder / "in.jsonl", [*questions(2), *sampled(3)])
    first = place.run(*argv)
    before, receipts = place.out(), len(place.receipts())
    told = place.run(*argv)
    assert told | {"seconds": 0} == first | {"seconds": 0}
    assert len(place.bill()) == 5
    assert place.out() == before
    assert len(place.receipts()) == receipts


def test_a_question_that_is_at_a_provider_is_not_handed_in_again_by_the_next_run(place):
    place.sandbox.control.batches(Behaviour(delay_s=1.0))
    write(place.folder / "in.jsonl", [line(f"s{n}", question("What is love?")) for n in range(4)])
    place.stop_when(lambda: sent(place), argv=WAIT)
    assert place.run(*WAIT)["answered"] == 4
    assert len(place.bill()) == 1
    assert place.spent() == place.billed()


def test_what_was_asked_directly_when_the_process_died_is_not_handed_in_afterwards(place):
    write(place.folder / "in.jsonl", sampled(6))
    place.sandbox.control.script([Rule(kind="drip", pause_s=0.01)])
    while place.stop_when(lambda: len(place.bill()) >= 4 or place.sandbox.control.stats()["in_flight"] >= 4):
        break
    place.sandbox.control.script([])
    until(lambda: place.sandbox.control.stats()["in_flight"] == 0)
    place.run(*WAIT, code=1)
    assert len(place.bill()) <= 6


def test_results_that_break_off_are_fetched_again_and_not_asked_for(place, meddler):
    torn = []

    def tear(method, path, said):
        if path.endswith("/content") and len(torn) < 2:
            torn.append(path)
            return Said(200, said.body[: len(said.body) * (len(torn)) // 3])
        return said

    meddler.change = tear
    write(place.folder / "in.jsonl", questions(6))
    assert place.run(*WAIT)["answered"] == 6
    assert [each.batch for each in place.bill()] == [True] * 6
    assert place.spent() == place.billed()


def test_results_doubled_unknown_or_in_another_order_are_each_taken_once(place, meddler):
    def stir(method, path, said):
        if not path.endswith("/content"):
            return said
        lines = said.body.splitlines()
        strange = [
            json.dumps(json.loads(lines[0]) | {"custom_id": name}).encode() for name in ("x", "pw-1-0", "pwx-1-99")
        ]
        return Said(200, b"\r\n".join([*reversed(lines), *lines, *strange, b"null", b'{"custom_id": 5}', b""]) + b"\n")

    meddler.change = stir
    write(place.folder / "in.jsonl", questions(6))
    assert place.run(*WAIT)["answered"] == 6
    assert [out["custom_id"] for out in place.out()] == [f"q{n}" for n in range(6)]
    assert [each.batch for each in place.bill()] == [True] * 6
    assert place.spent() == place.billed()


@pytest.mark.parametrize("status", [None, 500, 429, 200])
def test_a_batch_whose_taking_is_not_heard_of_is_found_and_not_handed_in_twice(place, meddler, status):
    lost = []

    def lose(method, path, said):
        if (method, path) == ("POST", "/v1/batches") and not lost:
            lost.append(path)
            return Said(status, b'{"id": "\xff')
        return said

    meddler.change = lose
    write(place.folder / "in.jsonl", questions(3))
    assert place.run(*WAIT)["answered"] == 3
    assert len(place.bill()) == 3
    assert place.spent() == place.billed()


def test_who_may_not_list_batches_does_not_take_one_that_was_handed_in_for_refused(place, meddler):
    lost = []

    def lose(method, path, said):
        if (method, path) == ("POST", "/v1/batches") and not lost:
            lost.append(path)
            return Said(None, b"")
        if method == "GET" and path.startswith("/v1/batches?") and len(lost) < 4:
            lost.append(path)
            return Said(403, b"{}")
        return said

    meddler.change = lose
    write(place.folder / "in.jsonl", sampled(3))
    place.run(*WAIT, code=1)
    assert "403" in place.err
    meddler.change = lambda method, path, said: said
    assert place.run(*WAIT)["answered"] == 3
    assert len(place.bill()) == 3


def test_a_batch_that_cannot_be_called_off_any_more_is_waited_for(place, meddler):
    meddler.change = lambda method, path, said: Said(400, b"{}") if path.endswith("/cancel") else said
    place.sandbox.control.batches(Behaviour(delay_s=2.0))
    write(place.folder / "in.jsonl", questions(3))
    meddler.change = lambda method, path, said: Said(400, b"{}") if path.endswith("/cancel") else said
    assert place.run("--deadline", "1s", "--poll", "100ms")["answered"] == 3
    assert place.spent() == place.billed()


def test_a_clock_that_was_wrong_when_it_was_handed_in_holds_nothing_up(place):
    place.sandbox.control.batches(Behaviour(delay_s=0.5))
    write(place.folder / "in.jsonl", questions(3))
    place.stop_when(lambda: sent(place), argv=WAIT)
    card = place.card()
    card["lanes"][0] |= {"state": "begun", "id": "", "begun_s": card["lanes"][0]["begun_s"] + 86400.0}
    (place.folder / "out.jsonl.batch").write_text(json.dumps(card))
    assert place.run(*WAIT)["answered"] == 3
    assert len(place.bill()) == 3


def test_a_result_without_sense_stops_nothing(place, meddler):
    def senseless(method, path, said):
        if not path.endswith("/content"):
            return said
        lines = [json.loads(text) for text in said.body.splitlines()]
        lines[0]["response"]["body"] = None
        lines[1]["response"]["body"] = "words"
        lines[2]["response"]["body"] = {"choices": [[[]]], "usage": -1}
        deep = json.dumps(lines[3]).encode()[:-1] + b', "more": ' + b"[" * 5000 + b"]" * 5000 + b"}"
        return Said(200, b"\n".join([*(json.dumps(each).encode() for each in lines[:3]), deep, b""]))

    meddler.change = senseless
    write(place.folder / "in.jsonl", questions(4))
    told = place.run("--deadline", "3s", "--poll", "100ms", code=1)
    assert [each.batch for each in place.bill()] == [True] * 4
    assert told["errors"]["unknown"] >= 1
    assert len(place.out()) == 4


def test_a_line_with_a_byte_order_mark_and_another_systems_ends_is_a_line(place):
    lines = "\r\n".join(json.dumps(each) for each in questions(2))
    (place.folder / "in.jsonl").write_bytes(b"\xef\xbb\xbf" + lines.encode() + b"\r\n\r\n \t\r\n")
    assert place.run()["answered"] == 2


def test_two_that_begin_at_the_same_moment_are_one_batch(place):
    write(place.folder / "in.jsonl", sampled(3))
    place.sandbox.control.script([Rule(kind="drip", pause_s=0.005)])
    processes = [place.start() for _ in range(3)]
    for process in processes:
        process.communicate(timeout=120)
    codes = sorted(process.returncode for process in processes)
    assert codes[0] == 0
    place.sandbox.control.script([])
    assert place.run()["answered"] == 3
    assert len(place.bill()) == 3


def test_our_key_goes_to_no_other_host_whatever_the_provider_says_of_its_results(place, meddler):
    with Meddler(place.sandbox.base_url) as stranger:

        def told(method, path, said):
            if "results_url" in said.body.decode():
                batch = json.loads(said.body)
                if batch.get("results_url"):
                    url = f"{stranger.base_url}/messages/batches/{batch['id']}/results"
                    return Said(said.status, json.dumps(batch | {"results_url": url}).encode())
            return said

        meddler.change = told
        place.configure(tail=MESSAGES.format(url=meddler.base_url))
        body = {"model": "claude-1", "max_tokens": 60, "messages": [{"role": "user", "content": "Who is it?"}]}
        write(place.folder / "in.jsonl", [line("m", body, url="/v1/messages")])
        assert place.run(*WAIT)["answered"] == 1
        assert stranger.calls == []


def test_a_batch_of_messages_is_found_by_a_clock_that_was_ahead(place):
    place.configure(tail=MESSAGES.format(url=place.sandbox.base_url))
    place.sandbox.control.batches(Behaviour(delay_s=0.5))
    body = {"model": "claude-1", "max_tokens": 60, "messages": [{"role": "user", "content": "Who is it?"}]}
    write(place.folder / "in.jsonl", [line(f"m{n}", body | {"temperature": 1}, url="/v1/messages") for n in range(2)])
    place.stop_when(lambda: sent(place), argv=WAIT)
    card = place.card()
    card["lanes"][0] |= {"state": "begun", "id": "", "begun_s": card["lanes"][0]["begun_s"] + 600.0}
    (place.folder / "out.jsonl.batch").write_text(json.dumps(card))
    assert place.run(*WAIT)["answered"] == 2
    assert len(place.bill()) == 2


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_killed_at_any_call_of_its_own_it_pays_for_each_question_once(place, meddler, api):
    """Each call reaches the provider, and the process dies before it hears of it; then half of what is said is heard."""
    if api == "anthropic":
        place.configure(tail=MESSAGES.format(url=meddler.base_url))
        body = {"model": "claude-1", "max_tokens": 60, "messages": [{"role": "user", "content": "Who is it?"}]}
        lines = [line(f"m{n}", body | {"temperature": 1}, url="/v1/messages") for n in range(3)]
        lines += [line(f"s{n}", body, url="/v1/messages") for n in range(3)]
    else:
        lines = [*sampled(3), *[line(f"s{n}", question("What is love?")) for n in range(3)]]
    write(place.folder / "in.jsonl", lines)
    place.sandbox.control.batches(Behaviour(delay_s=0.3))
    processes = []
    for at in range(40):
        heard = len(meddler.calls)

        def die(method, path, said, last=heard + at // 2 + 1, half=at % 2):
            if len(meddler.calls) < last:
                return said
            processes[-1].kill()
            return Said(200, said.body[: len(said.body) // 2]) if half else Said(None, b"")

        meddler.change = die
        processes.append(place.start(*WAIT))
        processes[-1].communicate(timeout=60)
        if processes[-1].returncode >= 0:
            break
    assert len(processes) > 3
    assert processes[-1].returncode == 0
    assert sorted(out["custom_id"] for out in place.out()) == sorted(each["custom_id"] for each in lines)
    assert all(out["response"]["status_code"] == 200 for out in place.out())
    assert [each.batch for each in place.bill()] == [True] * 4
    assert place.spent() == place.billed()
