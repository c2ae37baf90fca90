"""OpenAI Responses: the dialect's functions, as ``wire.codec.Codec`` asks for them."""

from pennyworth.request import Dialect
from pennyworth.wire.edits import renamed
from pennyworth.wire.responses.problems import problem, problem_event
from pennyworth.wire.responses.recorder import ResponsesRecorder
from pennyworth.wire.responses.replay import as_events, as_json, hide_usage
from pennyworth.wire.responses.request import PATH, edits, question, read_request

name: Dialect = "responses"
HEADERS: tuple[tuple[str, str], ...] = ()
recorder = ResponsesRecorder

__all__ = [
    "HEADERS",
    "PATH",
    "as_events",
    "as_json",
    "edits",
    "hide_usage",
    "name",
    "problem",
    "problem_event",
    "question",
    "read_request",
    "recorder",
    "renamed",
]
