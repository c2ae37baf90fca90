"""Whatever was recorded is the same again after it was read into nouns and written from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pennyworth import canonical
from pennyworth.request import Dialect
from pennyworth.wire.chat import neutral as chat
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.embeddings import neutral as embeddings
from pennyworth.wire.json_tree import parse
from pennyworth.wire.messages import neutral as messages
from pennyworth.wire.neutral.problems import body_of_problem, problem_of
from pennyworth.wire.responses import neutral as responses
from tests.wire.recorded_dialects import Recorded, recorded_in

DIALECTS: dict[Dialect, Any] = {"chat": chat, "messages": messages, "responses": responses}


def requests(dialect: str) -> Iterator[Recorded]:
    return (row for row in recorded_in(dialect) if row.request is not None)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_recorded_request_can_be_written_from_what_was_read_of_it(dialect: str) -> None:
    module: Any = DIALECTS[dialect]
    for row in requests(dialect):
        fields = parse(row.request).fields
        assert canonical.encode(module.fields_of(module.prompt_of(fields))) == canonical.encode(fields), row.id


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_recorded_reply_can_be_written_from_what_was_read_of_it(dialect: str) -> None:
    module: Any = DIALECTS[dialect]
    for row in recorded_in(dialect):
        if row.reply is None:
            continue
        body = parse(row.reply).fields
        if row.status == 200:
            completion = module.completion_of(body)
            assert completion is not None, row.id
            assert canonical.encode(module.body_of(completion)) == canonical.encode(body), row.id
        else:
            problem = problem_of(body)
            assert problem is not None, row.id
            assert canonical.encode(body_of_problem(problem)) == canonical.encode(body), row.id


@pytest.mark.parametrize("dialect", sorted(DIALECTS.keys() & CODECS.keys()))
def test_every_recorded_stream_put_together_can_be_written_from_what_was_read_of_it(dialect: Dialect) -> None:
    module: Any = DIALECTS[dialect]
    for row in recorded_in(dialect):
        if row.stream is not None and b"data:" in row.stream:
            body = parse(CODECS[dialect].as_json(row.stream, streamed=True)).fields
            completion = module.completion_of(body)
            assert completion is not None, row.id
            assert canonical.encode(module.body_of(completion)) == canonical.encode(body), row.id


def test_every_recorded_embedding_can_be_written_from_what_was_read_of_it() -> None:
    for row in recorded_in("embeddings"):
        fields = parse(row.request or b"{}").fields
        assert canonical.encode(embeddings.fields_of(embeddings.items_of(fields))) == canonical.encode(fields), row.id
        body = parse(row.reply or b"{}").fields
        read: Any = embeddings.vectors_of(body) if row.status == 200 else problem_of(body)
        write: Any = embeddings.body_of if row.status == 200 else body_of_problem
        assert read is not None, row.id
        assert canonical.encode(write(read)) == canonical.encode(body), row.id
