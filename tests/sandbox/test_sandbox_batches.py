"""The sandbox's batch APIs, asked by the official SDKs, at half the price of a direct request."""

import json
import time

import anthropic
import openai
import pytest

from pennyworth.sandbox import SandboxServer, Settings
from pennyworth.sandbox.batches import Behaviour

MODEL = "gpt-4o-mini"


@pytest.fixture
def sandbox():
    with SandboxServer(Settings(seed=5)) as server:
        yield server


@pytest.fixture
def client(sandbox):
    return openai.OpenAI(base_url=sandbox.base_url, api_key="sk-a", max_retries=0)


def ask(text):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]}


def upload(client, texts):
    lines = [
        {"custom_id": f"n{n}", "method": "POST", "url": "/v1/chat/completions", "body": ask(text)}
        for n, text in enumerate(texts)
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    return client.files.create(file=("in.jsonl", content), purpose="batch")


def begin(client, file, **more):
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", **more
    )


def ended(client, batch):
    deadline = time.monotonic() + 30
    while batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
        batch = client.batches.retrieve(batch.id)
    return batch


def lines(client, file_id):
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()]


def test_a_batch_answers_as_a_direct_request_does_at_half_the_price(sandbox, client):
    direct = client.chat.completions.create(**ask("What is love?"))
    batch = ended(client, begin(client, upload(client, ["What is love?", "What is life?"]), metadata={"for": "me"}))
    assert (batch.status, batch.request_counts.completed, batch.metadata) == ("completed", 2, {"for": "me"})
    said = {line["custom_id"]: line["response"] for line in lines(client, batch.output_file_id)}
    assert said["n0"]["body"]["choices"][0]["message"]["content"] == direct.choices[0].message.content
    full, half, _ = sandbox.control.bill()
    assert (full.batch, half.batch) == (False, True)
    assert full.amount_pico == 2 * half.amount_pico > 0


def test_files_are_listed_read_and_deleted_by_their_owner_alone(sandbox, client):
    file = upload(client, ["What is love?"])
    assert [each.id for each in client.files.list()] == [file.id]
    assert client.files.retrieve(file.id).filename == "in.jsonl"
    stranger = openai.OpenAI(base_url=sandbox.base_url, api_key="sk-b", max_retries=0)
    with pytest.raises(openai.NotFoundError):
        stranger.files.content(file.id)
    assert client.files.delete(file.id).deleted
    assert not list(client.files.list())


def test_lines_that_fail_are_in_the_file_of_errors_and_cost_nothing(sandbox, client):
    batch = ended(client, begin(client, upload(client, ["FAULT:status=400", "FAULT:reset", "Fine"])))
    assert [line["custom_id"] for line in lines(client, batch.output_file_id)] == ["n2"]
    assert [line["response"]["status_code"] for line in lines(client, batch.error_file_id)] == [400, 500]
    assert [line.billed for line in sandbox.control.bill()] == [False, False, True]


@pytest.mark.parametrize(
    ("behaviour", "status", "answered", "left"),
    [
        (Behaviour(expire_after=2), "expired", 2, "batch_expired"),
        (Behaviour(invalid=True), "failed", 0, ""),
        (Behaviour(fail_every=2), "completed", 2, ""),
    ],
)
def test_batches_go_as_they_are_told(sandbox, client, behaviour, status, answered, left):
    sandbox.control.batches(behaviour)
    batch = ended(client, begin(client, upload(client, ["a", "b", "c"])))
    assert batch.status == status
    assert (len(lines(client, batch.output_file_id)) if batch.output_file_id else 0) == answered
    if left:
        assert [line["error"]["code"] for line in lines(client, batch.error_file_id)] == [left]


def test_a_batch_is_called_off_and_what_was_answered_stays(sandbox, client):
    sandbox.control.batches(Behaviour(delay_s=30.0))
    batch = begin(client, upload(client, ["a", "b"]))
    assert client.batches.cancel(batch.id).status == "cancelling"
    sandbox.control.batches(Behaviour(line_s=0.05))
    other = begin(client, upload(client, [str(n) for n in range(50)]))
    while not client.batches.retrieve(other.id).request_counts.completed:
        pass
    client.batches.cancel(other.id)
    other = ended(client, other)
    assert other.status == "cancelled"
    assert len(lines(client, other.output_file_id)) + len(lines(client, other.error_file_id)) == 50
    assert [each.id for each in client.batches.list()] == [other.id, batch.id]


def test_a_file_that_is_no_batch_is_refused(client):
    file = client.files.create(file=("in.jsonl", b"nonsense"), purpose="batch")
    with pytest.raises(openai.BadRequestError, match="Line 1"):
        begin(client, file)


def test_message_batches_are_made_listed_and_read(sandbox):
    client = anthropic.Anthropic(base_url=sandbox.url, api_key="sk-a", max_retries=0)
    params = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "What is love?"}]}
    batch = client.messages.batches.create(requests=[{"custom_id": "one", "params": params}])
    deadline = time.monotonic() + 30
    while batch.processing_status != "ended":
        assert time.monotonic() < deadline
        batch = client.messages.batches.retrieve(batch.id)
    assert [each.id for each in client.messages.batches.list()] == [batch.id]
    assert [result.custom_id for result in client.messages.batches.results(batch.id)] == ["one"]
