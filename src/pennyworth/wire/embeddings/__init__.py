"""OpenAI embeddings: the dialect's functions, as ``wire.codec.Codec`` asks for them, and a batch taken apart and put
together again (``items``, ``parts``), because vectors are kept one by one."""

from pennyworth.request import Dialect
from pennyworth.wire.chat.problems import problem, problem_event
from pennyworth.wire.edits import renamed
from pennyworth.wire.embeddings.recorder import EmbeddingsRecorder
from pennyworth.wire.embeddings.replay import as_events, as_json, hide_usage
from pennyworth.wire.embeddings.request import PATH, edits, question, read_request

name: Dialect = "embeddings"
HEADERS: tuple[tuple[str, str], ...] = ()
recorder = EmbeddingsRecorder

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
