"""What a line of the output says, in OpenAI's format, and whether asking its request again could help."""

from __future__ import annotations

from typing import Literal

import msgspec

from pennyworth.batch.heard import Heard
from pennyworth.batch.lines import Line, Problem

Trouble = Literal["", "line", "failed", "unknown"]
"""``line``: the line itself is wrong. ``failed``: the request got an error, and asking again may help. ``unknown``: it was
made, and what became of it is not known or was lost: it may have been paid for."""


class Response(msgspec.Struct, frozen=True):
    """``request_id``: our receipt, for ``pennyworth explain``."""

    status_code: int
    request_id: str
    body: msgspec.Raw


class Fault(msgspec.Struct, frozen=True):
    code: str
    message: str


class Out(msgspec.Struct, frozen=True):
    """A line of the output or of the file of errors."""

    id: str
    custom_id: str | None
    response: Response | None = None
    error: Fault | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a line.

    ``served``: where its reply came from, in the words of receipts. ``spent``, ``saved``: picodollars; by this run.
    """

    out: Out
    trouble: Trouble = ""
    served: str = ""
    spent: int = 0
    saved: int = 0


def of_problem(problem: Problem) -> Answer:
    fault = Fault(problem.code, f"line {problem.number + 1}: {problem.message}")
    return Answer(out=Out(f"line_{problem.number + 1}", problem.custom_id, error=fault), trouble="line")


def of_reply(line: Line, heard: Heard) -> Answer:
    response = Response(heard.status, heard.receipt, _json(heard.body))
    trouble: Trouble = "" if 200 <= heard.status < 300 else "unknown" if heard.lost else "failed"
    return Answer(
        out=Out(f"batch_req_{heard.receipt}", line.custom_id, response),
        trouble=trouble,
        served=heard.served,
        spent=heard.spent,
        saved=heard.saved,
    )


def of_fault(line: Line, trouble: Trouble, code: str, message: str) -> Answer:
    return Answer(out=Out(f"line_{line.number + 1}", line.custom_id, error=Fault(code, message)), trouble=trouble)


def _json(body: bytes) -> msgspec.Raw:
    """As it came, on one line; what is no JSON becomes a JSON text."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.Raw(msgspec.json.encode(body.decode("utf-8", "replace")))
    return msgspec.Raw(body if b"\n" not in body and b"\r" not in body else msgspec.json.format(body, indent=-1))
