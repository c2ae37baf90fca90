"""Long random trials of everything that reads bytes from outside, or bytes of our own that may have been changed.

Each trial holds a law, so that a wrong answer is found and not only a crash. The seed of the run is printed: the same
seed gives the same trials. The trials themselves: ``tests/fuzz``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tests.fuzz import bodies, dialects, http, others, records, streams
from tests.fuzz.law import FoundError, Trial, row, tried

__all__ = ["TRIALS", "FoundError", "Trial", "row", "tried"]

TRIALS: Mapping[str, Trial] = MappingProxyType(
    {
        "request head": http.REQUEST_HEAD,
        "request parser": bodies.PARSER,
        "canonical key": bodies.KEY,
        "provider reply": http.PROVIDER_REPLY,
        "SSE splitter": streams.SPLITTER,
        "SSE recorder": streams.RECORDER,
        "reply body": streams.REPLY_BODY,
        "store row": records.STORE_ROW,
        "journal line": records.JOURNAL_LINE,
        "configuration": records.CONFIGURATION,
        "path passed through": others.PATH,
        "form passed through": others.FORM,
        "batch line": others.BATCH_LINE,
        "embeddings request": others.EMBEDDINGS,
        "embeddings reply": others.EMBEDDED,
        **dialects.RECORDERS,
        **dialects.STREAMS,
        **dialects.REPLIES,
        **dialects.REQUESTS,
    }
)
