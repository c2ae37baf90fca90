"""Work that can wait, as providers sell it: OpenAI's files and batches, Anthropic's message batches, at half price.

Each line is run through the sandbox's own routes by a twin of it whose prices are halved, so that a line is answered,
refused and broken by the same rules as a request; only its invoice line differs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import msgspec

from pennyworth.sandbox.ask import RefusedError
from pennyworth.sandbox.batch_lines import Answered, Runner

_WINDOW_S = 86400
_MOST_LINES = 50_000
_ENDED = frozenset(("completed", "failed", "expired", "cancelled"))


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How batches go. ``POST /__sandbox/batches`` changes it for those that are made from then on.

    Attributes:
        delay_s: before the first line is run. ``line_s``: for each line.
        expire_after: so many lines are answered, then the batch expires; -1 = it does not.
        fail_every: each so many-th line gets a server error; 0 = none.
        invalid: the batch fails as a whole when it is looked at first, as for a limit on what may wait.
    """

    delay_s: float = 0.0
    line_s: float = 0.0
    expire_after: int = -1
    fail_every: int = 0
    invalid: bool = False


class File(NamedTuple):
    id: str
    owner: str
    name: str
    purpose: str
    content: bytes
    created_s: int


class Ask(NamedTuple):
    """One line of a batch: its name and the request."""

    custom_id: str
    path: str
    body: bytes


class Batch(msgspec.Struct, kw_only=True):
    """One batch, whichever API made it. ``answers``: in order, as far as it has come."""

    id: str
    owner: str
    endpoint: str
    asks: list[Ask]
    created_s: int
    behaviour: Behaviour
    metadata: dict[str, str] | None = None
    input_file: str = ""
    status: Literal["validating", "in_progress", "cancelling", "completed", "failed", "expired", "cancelled"] = (
        "validating"
    )
    answers: list[tuple[Ask, Answered]] = []
    output_file: str = ""
    error_file: str = ""
    ended_s: int = 0

    @property
    def ended(self) -> bool:
        return self.status in _ENDED

    def unanswered(self) -> Iterator[Ask]:
        return iter(self.asks[len(self.answers) :])


class Batches:
    """The files and batches of one simulated provider. ``runner``: makes the twin that lines are run through."""

    def __init__(self, behaviour: Behaviour, run: str, runner: Callable[[], Runner]) -> None:
        self.behaviour = behaviour
        self.files: dict[str, File] = {}
        self._batches: dict[str, Batch] = {}
        self._run = run
        self._made = 0
        self._runner = runner
        self._tasks: set[asyncio.Task[None]] = set()

    def next_id(self, kind: str) -> str:
        self._made += 1
        return f"{kind}{self._run}{self._made:06d}"

    def keep_file(self, owner: str, name: str, purpose: str, content: bytes) -> File:
        file = File(self.next_id("file-"), owner, name, purpose, content, int(time.time()))
        self.files[file.id] = file
        return file

    def file(self, owner: str, file_id: str) -> File:
        """Raises ``RefusedError``: there is none, or it is somebody else's."""
        file = self.files.get(file_id)
        if file is None or file.owner != owner:
            raise RefusedError(404, f"No such File object: {file_id}", param="id")
        return file

    def files_of(self, owner: str) -> list[File]:
        """The newest first."""
        return [each for each in reversed(self.files.values()) if each.owner == owner]

    def batch(self, owner: str, batch_id: str) -> Batch:
        """Raises ``RefusedError``."""
        batch = self._batches.get(batch_id)
        if batch is None or batch.owner != owner:
            raise RefusedError(404, f"No batch found with id '{batch_id}'.", param="id")
        return batch

    def of(self, owner: str, kind: str) -> list[Batch]:
        """The newest first."""
        return [each for each in reversed(self._batches.values()) if each.owner == owner and each.id.startswith(kind)]

    def begin(self, batch: Batch, credential: str) -> Batch:
        """From now on it is under way. Raises ``RefusedError``: too many lines, or none."""
        if not 0 < len(batch.asks) <= _MOST_LINES:
            raise RefusedError(400, f"A batch has 1 to {_MOST_LINES} requests; this one has {len(batch.asks)}.")
        self._batches[batch.id] = batch
        task = asyncio.get_running_loop().create_task(self._work(batch, credential))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return batch

    def cancel(self, batch: Batch) -> None:
        if not batch.ended:
            batch.status = "cancelling"

    async def _work(self, batch: Batch, credential: str) -> None:
        how = batch.behaviour
        await asyncio.sleep(how.delay_s)
        if how.invalid:
            self._end(batch, "failed")
            return
        if batch.status == "validating":
            batch.status = "in_progress"
        runner = self._runner()
        for number, ask in enumerate(batch.asks, 1):
            await asyncio.sleep(how.line_s)
            if batch.status == "cancelling":
                self._end(batch, "cancelled")
                return
            if number - 1 == how.expire_after:
                self._end(batch, "expired")
                return
            fails = how.fail_every and not number % how.fail_every
            batch.answers.append((ask, runner.broken() if fails else await runner.run(ask.path, ask.body, credential)))
        self._end(batch, "completed")

    def _end(self, batch: Batch, status: Literal["completed", "failed", "expired", "cancelled"]) -> None:
        batch.status, batch.ended_s = status, int(time.time())
