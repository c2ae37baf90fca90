"""Anthropic Messages: the dialect's functions, as ``wire.codec.Codec`` asks for them."""

from pennyworth.request import Dialect
from pennyworth.wire.edits import renamed
from pennyworth.wire.messages.problems import problem, problem_event
from pennyworth.wire.messages.recorder import MessagesRecorder
from pennyworth.wire.messages.replay import as_events, as_json, hide_usage
from pennyworth.wire.messages.request import PATH, edits, question, read_request

name: Dialect = "messages"
HEADERS: tuple[tuple[str, str], ...] = (("anthropic-version", "2023-06-01"),)
recorder = MessagesRecorder

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
