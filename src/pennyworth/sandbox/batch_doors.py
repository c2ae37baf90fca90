"""The two APIs by which work that can wait is handed in: OpenAI's (files and batches) and Anthropic's.

https://platform.openai.com/docs/api-reference/batch · https://docs.anthropic.com/en/api/creating-message-batches
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs

import msgspec

from pennyworth.sandbox.ask import RefusedError
from pennyworth.sandbox.batch_lines import Answered
from pennyworth.sandbox.batches import Ask, Batch, Batches, File
from pennyworth.sandbox.multipart import parts_of
from pennyworth.sandbox.watermark import tenant_of

FILES, BATCHES, MESSAGES = BATCH_PATHS = "/v1/files", "/v1/batches", "/v1/messages/batches"
ENDPOINTS = ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions")
_DAY_S = 86400
Listed = TypeVar("Listed", Batch, File)


class Came(NamedTuple):
    """A call: ``headers`` in lower case; ``base``: where this provider is, for the URLs it gives."""

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes
    base: str


class Given(NamedTuple):
    status: int
    body: bytes


def is_batch_path(path: str) -> bool:
    return any(path == door or path.startswith(f"{door}/") for door in BATCH_PATHS)


def answer(batches: Batches, came: Came) -> Given:
    """Raises ``RefusedError``."""
    credential = came.headers.get("authorization") or _bearer(came.headers.get("x-api-key", ""))
    if not credential:
        raise RefusedError(401, "You didn't provide an API key.")
    if came.path.startswith(MESSAGES):
        return _messages(batches, came, credential, came.path.removeprefix(MESSAGES).strip("/").split("/"))
    if came.path.startswith(FILES):
        return _files(batches, came, tenant_of(credential), came.path.removeprefix(FILES).strip("/").split("/"))
    return _batches(batches, came, credential, came.path.removeprefix(BATCHES).strip("/").split("/"))


def _bearer(key: str) -> str:
    return f"Bearer {key}" if key else ""


def _files(batches: Batches, came: Came, owner: str, rest: list[str]) -> Given:
    match came.method, rest:
        case "POST", [""]:
            fields = parts_of(came.headers.get("content-type", ""), came.body)
            if "file" not in fields or "purpose" not in fields:
                raise RefusedError(400, "'file' and 'purpose' are required properties")
            name, content = fields["file"]
            return _json(_file(batches.keep_file(owner, name or "file", fields["purpose"][1].decode(), content)))
        case "GET", [""]:
            page, more = _page(came, batches.files_of(owner), "after")
            return _json({"object": "list", "data": [_file(file) for file in page], "has_more": more})
        case "GET", [file_id]:
            return _json(_file(batches.file(owner, file_id)))
        case "GET", [file_id, "content"]:
            return Given(200, batches.file(owner, file_id).content)
        case "DELETE", [file_id]:
            del batches.files[batches.file(owner, file_id).id]
            return _json({"id": file_id, "object": "file", "deleted": True})
    raise _nothing(came)


def _batches(batches: Batches, came: Came, credential: str, rest: list[str]) -> Given:
    owner = tenant_of(credential)
    match came.method, rest:
        case "POST", [""]:
            return _json(_batch(batches, batches.begin(_new_batch(batches, came, owner), credential)))
        case "GET", [""]:
            page, more = _page(came, batches.of(owner, "batch_"), "after")
            return _json({"object": "list", "data": [_batch(batches, each) for each in page], "has_more": more})
        case "GET", [batch_id]:
            return _json(_batch(batches, batches.batch(owner, batch_id)))
        case "POST", [batch_id, "cancel"]:
            batch = batches.batch(owner, batch_id)
            batches.cancel(batch)
            return _json(_batch(batches, batch))
    raise _nothing(came)


def _new_batch(batches: Batches, came: Came, owner: str) -> Batch:
    asked = _object(came.body)
    file = batches.file(owner, str(asked.get("input_file_id")))
    endpoint = asked.get("endpoint")
    if endpoint not in ENDPOINTS:
        raise RefusedError(400, f"Invalid value: '{endpoint}'. Supported values are: {', '.join(ENDPOINTS)}.")
    if asked.get("completion_window") != "24h":
        raise RefusedError(400, "Invalid value: completion_window must be '24h'.", param="completion_window")
    asks = [_openai_ask(number, text, endpoint) for number, text in enumerate(file.content.splitlines(), 1) if text]
    return Batch(
        id=batches.next_id("batch_"),
        owner=owner,
        endpoint=endpoint,
        asks=asks,
        created_s=int(time.time()),
        behaviour=batches.behaviour,
        metadata=asked.get("metadata"),
        input_file=file.id,
    )


def _openai_ask(number: int, text: bytes, endpoint: str) -> Ask:
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        custom_id = msgspec.json.decode(fields["custom_id"], type=str)
        url, body = msgspec.json.decode(fields["url"], type=str), bytes(fields["body"])
    except (msgspec.DecodeError, KeyError):
        raise RefusedError(400, f"Line {number} is not a request of a batch.", code="invalid_json_line") from None
    if url != endpoint:
        raise RefusedError(400, f"Line {number}: url must be {endpoint}.", code="mismatched_url")
    return Ask(custom_id, url, body)


def _batch(batches: Batches, batch: Batch) -> dict[str, Any]:
    """As OpenAI shows it; its files are made when it is seen to have ended."""
    if batch.ended and not (batch.output_file or batch.error_file):
        _write_files(batches, batch)
    good = sum(1 for _, said in batch.answers if said.status == 200)
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": None if batch.status != "failed" else {"object": "list", "data": [_LIMIT]},
        "input_file_id": batch.input_file,
        "completion_window": "24h",
        "status": batch.status,
        "output_file_id": batch.output_file or None,
        "error_file_id": batch.error_file or None,
        "created_at": batch.created_s,
        "expires_at": batch.created_s + _DAY_S,
        "completed_at": batch.ended_s if batch.status == "completed" else None,
        "request_counts": {"total": len(batch.asks), "completed": good, "failed": len(batch.answers) - good},
        "metadata": batch.metadata,
    }


_LIMIT = {
    "code": "token_limit_exceeded",
    "message": "Enqueued token limit reached (simulated).",
    "param": None,
    "line": None,
}


def _write_files(batches: Batches, batch: Batch) -> None:
    if batch.status == "failed":
        return
    good = [_line(ask, said) for ask, said in batch.answers if said.status == 200]
    bad = [_line(ask, said) for ask, said in batch.answers if said.status != 200]
    if batch.status == "expired":
        bad += [_unanswered(ask, "batch_expired") for ask in batch.unanswered()]
    if batch.status == "cancelled":
        bad += [_unanswered(ask, "batch_cancelled") for ask in batch.unanswered()]
    if good:
        batch.output_file = batches.keep_file(batch.owner, "output.jsonl", "batch_output", b"".join(good)).id
    if bad:
        batch.error_file = batches.keep_file(batch.owner, "errors.jsonl", "batch_output", b"".join(bad)).id


def _line(ask: Ask, said: Answered) -> bytes:
    response = {"status_code": said.status or 500, "request_id": said.request_id, "body": msgspec.Raw(said.body)}
    out = {"id": f"batch_req_{said.request_id}", "custom_id": ask.custom_id, "response": response, "error": None}
    return msgspec.json.encode(out) + b"\n"


def _unanswered(ask: Ask, code: str) -> bytes:
    error = {"code": code, "message": "This request could not be executed before the completion window ended."}
    return (
        msgspec.json.encode({"id": "batch_req_", "custom_id": ask.custom_id, "response": None, "error": error}) + b"\n"
    )


def _file(file: File) -> dict[str, Any]:
    return {
        "id": file.id,
        "object": "file",
        "bytes": len(file.content),
        "created_at": file.created_s,
        "filename": file.name,
        "purpose": file.purpose,
    }


def _messages(batches: Batches, came: Came, credential: str, rest: list[str]) -> Given:
    owner = tenant_of(credential)
    match came.method, rest:
        case "POST", [""]:
            return _json(_message_batch(batches.begin(_new_messages(batches, came, owner), credential), came))
        case "GET", [""]:
            page, more = _page(came, batches.of(owner, "msgbatch_"), "after_id")
            data = [_message_batch(each, came) for each in page]
            ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
            return _json({"data": data, "has_more": more, **ends})
        case "GET", [batch_id]:
            return _json(_message_batch(batches.batch(owner, batch_id), came))
        case "POST", [batch_id, "cancel"]:
            batch = batches.batch(owner, batch_id)
            batches.cancel(batch)
            return _json(_message_batch(batch, came))
        case "GET", [batch_id, "results"]:
            return Given(200, b"".join(_results(batches.batch(owner, batch_id))))
    raise _nothing(came)


def _new_messages(batches: Batches, came: Came, owner: str) -> Batch:
    requests = _object(came.body).get("requests")
    try:
        read = [(one["custom_id"], msgspec.json.encode(one["params"])) for one in requests or ()]
    except (KeyError, TypeError):
        raise RefusedError(400, "requests: each has a custom_id and params.") from None
    asks = [Ask(custom_id, "/v1/messages", params) for custom_id, params in read]
    return Batch(
        id=batches.next_id("msgbatch_"),
        owner=owner,
        endpoint="/v1/messages",
        asks=asks,
        created_s=int(time.time()),
        behaviour=batches.behaviour,
    )


def _message_batch(batch: Batch, came: Came) -> dict[str, Any]:
    good = sum(1 for _, said in batch.answers if said.status == 200)
    bad, left = len(batch.answers) - good, len(batch.asks) - len(batch.answers)
    counts = {"processing": 0, "succeeded": good, "errored": bad, "canceled": 0, "expired": 0}
    if not batch.ended:
        counts = {"processing": len(batch.asks), "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    else:
        counts["canceled" if batch.status == "cancelled" else "expired"] = left
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if batch.ended else "canceling" if batch.status == "cancelling" else "in_progress",
        "request_counts": counts,
        "created_at": _iso(batch.created_s),
        "expires_at": _iso(batch.created_s + _DAY_S),
        "ended_at": _iso(batch.ended_s) if batch.ended else None,
        "cancel_initiated_at": None,
        "results_url": f"{came.base}{MESSAGES}/{batch.id}/results" if batch.ended else None,
    }


def _results(batch: Batch) -> list[bytes]:
    if not batch.ended:
        raise RefusedError(404, "The batch has not ended yet.")
    lines = [{"custom_id": ask.custom_id, "result": _result(said)} for ask, said in batch.answers]
    rest = "canceled" if batch.status == "cancelled" else "expired"
    lines += [{"custom_id": ask.custom_id, "result": {"type": rest}} for ask in batch.unanswered()]
    return [msgspec.json.encode(line) + b"\n" for line in lines]


def _result(said: Answered) -> dict[str, Any]:
    if said.status == 200:
        return {"type": "succeeded", "message": msgspec.Raw(said.body)}
    error = msgspec.json.decode(said.body).get("error") or {}
    kind = "api_error" if said.status in (0, 500) else "invalid_request_error"
    told = {"type": error.get("type") if said.status else kind, "message": error.get("message", "")}
    return {"type": "errored", "error": {"type": "error", "error": told}}


def _page(came: Came, found: list[Listed], cursor: str) -> tuple[list[Listed], bool]:
    asked = parse_qs(came.query.decode("latin-1"))
    limit, after = int(asked.get("limit", ["20"])[0]), asked.get(cursor, [""])[0]
    names = [each.id for each in found]
    start = names.index(after) + 1 if after in names else 0
    return found[start : start + limit], start + limit < len(found)


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(body)
    except msgspec.DecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise RefusedError(400, "We could not parse the JSON body of your request.")
    return fields


def _iso(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")


def _json(value: object) -> Given:
    return Given(200, msgspec.json.encode(value))


def _nothing(came: Came) -> RefusedError:
    return RefusedError(404, f"Invalid URL ({came.method} {came.path})")
