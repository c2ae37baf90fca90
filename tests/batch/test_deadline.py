"""``--deadline``: half price through a provider's batch API, found again by whoever goes on, the rest asked directly."""

import json

import pytest

from pennyworth.cli.main import run
from pennyworth.sandbox.batches import Behaviour

from .conftest import line, question, questions, until, write

WAIT = ("--deadline", "1h", "--poll", "100ms")


def saved_by(place, layer):
    return sum(receipt.saved[layer].pico for receipt in place.receipts() if layer in receipt.saved)


def test_what_can_wait_costs_half_and_the_receipts_say_what_that_saved(place):
    write(place.folder / "in.jsonl", [*questions(12), line("again", question("What is 3?"))])
    told = place.run(*WAIT)
    assert told["answered"] == 13
    assert [each.batch for each in place.bill()] == [True] * 12
    assert [out["custom_id"] for out in place.out()] == [*(f"q{n}" for n in range(12)), "again"]
    assert place.spent() == place.billed() == told["spent"]["pico"] > 0
    assert saved_by(place, "batch") == place.spent()
    for receipt in place.receipts():
        assert receipt.spent.pico + sum(each.pico for each in receipt.saved.values()) == receipt.would_have_cost.pico


def test_answers_that_came_by_batch_are_kept_for_whoever_asks_next(place):
    write(place.folder / "in.jsonl", questions(4))
    place.run(*WAIT)
    for name in ("out.jsonl", "out.jsonl.batch"):
        (place.folder / name).unlink()
    told = place.run()
    assert told["served"] == {"exact": 4}
    assert told["spent"]["pico"] == 0


def test_what_is_purged_while_a_batch_is_at_the_provider_is_not_kept_when_another_process_fetches_it(place):
    place.sandbox.control.batches(Behaviour(delay_s=1.0))
    write(place.folder / "in.jsonl", questions(3))
    assert place.stop_when(lambda: any(lane["state"] == "sent" for lane in place.card()["lanes"]), argv=WAIT)
    assert run(["purge", "--all", "--config", "c.toml"]) == 0
    assert place.run(*WAIT)["answered"] == 3
    for name in ("out.jsonl", "out.jsonl.batch"):
        (place.folder / name).unlink()
    assert place.run("--dry-run")["kept"] == 0


def test_what_is_kept_is_not_handed_in(place):
    write(place.folder / "in.jsonl", questions(4))
    place.run()
    for name in ("out.jsonl", "out.jsonl.batch"):
        (place.folder / name).unlink()
    write(place.folder / "in.jsonl", questions(6))
    assert place.run(*WAIT)["served"] == {"exact": 4, "upstream": 2}
    assert sum(each.batch for each in place.bill()) == 2


def test_killed_at_any_stage_it_hands_in_nothing_twice_and_the_books_are_equal_to_the_picodollar(place):
    place.sandbox.control.batches(Behaviour(delay_s=1.0, line_s=0.001))
    write(place.folder / "in.jsonl", questions(40))
    states = lambda: [lane["state"] for lane in place.card()["lanes"]]  # noqa: E731
    stages = [
        lambda: place.recorded() >= 40,  # before it is handed in
        lambda: "begun" in states(),  # perhaps handed in
        lambda: "sent" in states(),  # waited for
        lambda: place.recorded() >= 55,  # while its answers come in
        lambda: place.recorded() >= 65,
    ]
    kills = [place.stop_when(stage, argv=WAIT) for stage in stages]
    assert any(kills)
    told = place.run(*WAIT)
    assert told["answered"] == 40
    assert [each.batch for each in place.bill()] == [True] * 40
    assert place.spent() == place.billed()


def test_a_batch_that_was_handed_in_when_the_process_died_is_found_again(place):
    """The moment between the provider's taking it and our writing down what it is called, which no signal can aim at."""
    write(place.folder / "in.jsonl", questions(5))
    place.sandbox.control.batches(Behaviour(delay_s=0.5))
    place.stop_when(lambda: any(lane["state"] == "sent" for lane in place.card()["lanes"]), argv=WAIT)
    card = place.card()
    card["lanes"][0] |= {"state": "begun", "id": ""}
    (place.folder / "out.jsonl.batch").write_text(json.dumps(card))
    assert place.run(*WAIT)["answered"] == 5
    assert len(place.bill()) == 5
    assert place.spent() == place.billed()


@pytest.mark.parametrize("behaviour", [Behaviour(expire_after=4), Behaviour(fail_every=3), Behaviour(invalid=True)])
def test_what_a_provider_leaves_unanswered_is_asked_directly(place, behaviour):
    place.sandbox.control.batches(behaviour)
    write(place.folder / "in.jsonl", questions(9))
    assert place.run(*WAIT)["answered"] == 9
    direct = {4: 5, -1: 9 if behaviour.invalid else 3}[behaviour.expire_after]
    assert [each.batch for each in place.bill() if each.billed].count(False) == direct
    assert place.spent() == place.billed()


def test_when_the_deadline_comes_near_the_batch_is_called_off_and_the_rest_is_asked_directly(place):
    place.sandbox.control.batches(Behaviour(line_s=0.3))
    write(place.folder / "in.jsonl", questions(20))
    assert place.run("--deadline", "3s", "--poll", "100ms")["answered"] == 20
    by_batch = [each.batch for each in place.bill() if each.billed]
    assert 0 < by_batch.count(True) < 20
    assert len(by_batch) == 20
    assert place.spent() == place.billed()


def test_a_line_that_the_provider_refuses_has_its_error_and_is_not_asked_again(place):
    write(place.folder / "in.jsonl", [*questions(2), line("bad", question("FAULT:status=400"))])
    assert place.run(*WAIT, code=1)["errors"]["failed"] == 1
    assert [out["response"]["status_code"] for out in place.out()] == [200, 200, 400]
    assert len(place.bill()) == 3


@pytest.mark.parametrize("how", ["switch", "provider"])
def test_where_batches_are_off_all_is_asked_directly(place, how):
    if how == "switch":
        place.configure(tail='[switches]\nbatch = "off"\n')
    else:
        text = (place.folder / "c.toml").read_text()
        (place.folder / "c.toml").write_text(text.replace("batch = true", "batch = false"))
    write(place.folder / "in.jsonl", questions(3))
    assert place.run(*WAIT)["answered"] == 3
    assert [each.batch for each in place.bill()] == [False] * 3


def test_the_price_of_a_batch_is_what_the_operator_says(place):
    place.configure(tail='batch = "0.25"\n')
    write(place.folder / "in.jsonl", questions(3))
    told = place.run(*WAIT)
    assert told["spent"]["pico"] * 2 == place.billed()


def test_the_money_that_a_batch_may_cost_is_set_aside_and_what_does_not_fit_is_refused(place):
    place.configure(tail='[keys.alice]\nkey = "pw-alice-0123456789abcdef"\nbudget_day = "0.001 USD"\n')
    place.sandbox.control.batches(Behaviour(delay_s=0.5))
    write(place.folder / "in.jsonl", [line(n, question(f"What is {n}?", max_tokens=400)) for n in "abcdefgh"])
    told = place.run(*WAIT, "--key-env", "ALICE", code=1, env={"ALICE": "pw-alice-0123456789abcdef"})
    assert told["answered"] + told["errors"]["failed"] == 8
    assert told["answered"] > 0
    assert place.spent() == place.billed() <= 10**9


def test_stopped_while_it_waits_it_goes_on_where_it_was(place):
    place.sandbox.control.batches(Behaviour(delay_s=1.0))
    write(place.folder / "in.jsonl", questions(3))
    process = place.start(*WAIT)
    until(lambda: any(lane["state"] == "sent" for lane in place.card()["lanes"]))
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["left"] == 3
    assert place.run(*WAIT)["answered"] == 3
    assert len(place.bill()) == 3
    assert place.spent() == place.billed()


MESSAGES = """
[providers.claude]
base_url = "{url}"
key = "sk-claude"
auth = "x-api-key"
headers = {{ "anthropic-version" = "2023-06-01" }}
dialects = ["messages"]
models = ["claude-*"]
batch = true
[models.claude-1.price]
input = "0.37"
output = "1.13"
cached = "0.1"
[models.claude-1]
provider = "claude"
"""


@pytest.fixture
def messages(place):
    place.configure(tail=MESSAGES.format(url=place.sandbox.base_url))
    lines = [
        line(
            f"m{n}", {"model": "claude-1", "max_tokens": 60, "messages": [{"role": "user", "content": f"Who is {n}?"}]}
        )
        for n in range(6)
    ]
    write(place.folder / "in.jsonl", [each | {"url": "/v1/messages"} for each in lines])
    return place


def test_messages_go_through_anthropics_api_at_half_price(messages):
    assert messages.run(*WAIT)["answered"] == 6
    assert [each.batch for each in messages.bill()] == [True] * 6
    assert messages.spent() == messages.billed() > 0
    assert saved_by(messages, "batch") == messages.spent()
    assert {out["response"]["body"]["type"] for out in messages.out()} == {"message"}


def test_a_message_batch_that_has_no_name_of_ours_is_found_by_its_requests(messages):
    messages.sandbox.control.batches(Behaviour(delay_s=0.5))
    messages.stop_when(lambda: any(lane["state"] == "sent" for lane in messages.card()["lanes"]), argv=WAIT)
    card = messages.card()
    card["lanes"][0] |= {"state": "begun", "id": ""}
    (messages.folder / "out.jsonl.batch").write_text(json.dumps(card))
    assert messages.run(*WAIT)["answered"] == 6
    assert len(messages.bill()) == 6
    assert messages.spent() == messages.billed()


def test_vectors_come_at_half_price_too_and_each_is_kept_under_its_own_text(place):
    def texts(*names):
        return [{"model": "sim-1", "input": [f"text {name}" for name in name_list]} for name_list in names]

    def ask(*bodies):
        for name in ("out.jsonl", "out.jsonl.batch"):
            (place.folder / name).unlink(missing_ok=True)
        write(place.folder / "in.jsonl", [line(f"v{n}", body, url="/v1/embeddings") for n, body in enumerate(bodies)])

    ask(*texts("b"))
    place.run()
    ask(*texts("abc", "def"))
    assert place.run(*WAIT)["answered"] == 2
    assert [each.batch for each in place.bill()] == [False, True, True]
    assert place.spent() == place.billed() > 0
    came = [item["embedding"] for out in place.out() for item in out["response"]["body"]["data"]]
    ask(*texts("fa"))
    assert place.run()["served"] == {"exact": 1}
    assert [item["embedding"] for item in place.out()[0]["response"]["body"]["data"]] == [came[5], came[0]]
