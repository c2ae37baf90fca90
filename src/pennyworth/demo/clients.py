"""The application beside the demo: started early, given its task when the servers are up, heard to its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import msgspec

from pennyworth.demo.heard import Reply
from pennyworth.demo.task import Task
from pennyworth.errors import ConfigError, PennyworthError

_END_S = 10.0


class ClientError(PennyworthError):
    """The application did not do its task."""


class Clients:
    """It starts when this is made, and imports the SDK while the servers start.

    Raises:
        ConfigError: the SDK is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if find_spec("openai") is None:
            problem = "the SDK is not installed, and the demo asks by it"
            raise ConfigError("openai", problem, "Run `make demo`, or: pip install openai")
        self._log = folder / "clients.log"
        command = [sys.executable, "-m", "pennyworth.demo.client"]
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )

    def __enter__(self) -> Clients:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()  # the others end by it: they find nobody to write to
        self._process.wait()

    def ask_all(self, task: Task, tell: Callable[[Reply], None]) -> list[Reply]:
        """Every request of the task, heard. ``tell`` is called after each, in this thread."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(task) + b"\n")
        self._process.stdin.flush()
        decode = msgspec.json.Decoder(Reply).decode
        replies = []
        for line in self._process.stdout:
            replies.append(decode(line))
            tell(replies[-1])
        if (code := self._process.wait(_END_S)) or len(replies) != len(task.askings):
            last = self._log.read_text(encoding="utf-8").strip().splitlines()[-1:]
            heard = f"{len(replies)} of {len(task.askings)} replies"
            raise ClientError(f"The application broke off (status {code}) after {heard}: {' '.join(last)}")
        return replies
