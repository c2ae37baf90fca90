"""OpenAI chat completions: the dialect's functions, as ``wire.codec.Codec`` asks for them."""

from pennyworth.request import Dialect
from pennyworth.wire.chat.problems import problem, problem_event
from pennyworth.wire.chat.recorder import ChatRecorder
from pennyworth.wire.chat.replay import as_events, as_json, hide_usage
from pennyworth.wire.chat.request import PATH, edits, question, read_request
from pennyworth.wire.edits import renamed

name: Dialect = "chat"
HEADERS: tuple[tuple[str, str], ...] = ()
recorder = ChatRecorder

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
