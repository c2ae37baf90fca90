"""The log: one line an event on standard error, JSON for machines, colours for a terminal.

No prompt, header or credential is ever given to it. What other libraries write is cut short, and rid of what looks
like a credential; of their exceptions only the kind and the place are kept, because a message may quote anything.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from pennyworth.assemble import Report

EVERY_S = 10.0
_TOLD_ONCE = "alert"
"""What comes once by itself: a line that is left out would never be read."""
_LONGEST = 500
_CREDENTIAL = re.compile(
    r"(?i)\b(?:bearer|basic)\s+[^\s'\",]+|\b(?:sk|pk|rk|gsk|xai|hf|ghp|nvapi|pw)[-_][A-Za-z0-9_-]{6,}|\bAIza[A-Za-z0-9_-]{8,}"
)


class Level:
    """The least severe that is written; it may change while the log is open."""

    def __init__(self, name: str) -> None:
        self.set(name)

    def set(self, name: str) -> None:
        self._least = logging.getLevelNamesMapping()[name.upper()]

    def __call__(self, logger: object, method: str, event: EventDict) -> EventDict:
        """As one of structlog's processors."""
        if logging.getLevelNamesMapping()[method.upper()] < self._least:
            raise structlog.DropEvent
        return event


def open_log(level: str | Level, stream: TextIO | None = None, **always: str) -> FilteringBoundLogger:
    """A log of its own, not the process's: two gateways in one program may log differently. ``always``: on each line."""
    stream = stream or sys.stderr
    pretty = stream.isatty()
    renderer: Processor = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            Level(level) if isinstance(level, str) else level,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=not pretty),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        cache_logger_on_first_use=True,
    )
    return cast(FilteringBoundLogger, logger.bind(**always))


def reporter(log: FilteringBoundLogger, clock: Callable[[], float] = time.monotonic) -> Report:
    """One line per part in ten seconds, with how many were left out since the last; of alerts each. Called from any thread."""
    lock = threading.Lock()
    last: dict[str, tuple[float, int]] = {}

    def report(part: str, what: str) -> None:
        now = clock()
        with lock:
            before, suppressed = last.get(part, (-EVERY_S, 0))
            quiet = now - before < EVERY_S and part != _TOLD_ONCE
            last[part] = (before, suppressed + 1) if quiet else (now, 0)
        if quiet:
            return
        more = {"suppressed": suppressed} if suppressed else {}
        log.warning(scrubbed(what), part=part, **more)

    return report


def adopt_library_logs(log: FilteringBoundLogger) -> None:
    """Warnings of the libraries go to this log too. The process has one ``logging``: called where it is ours."""
    root = logging.getLogger()
    root.handlers = [_Adopted(log)]
    root.setLevel(logging.WARNING)


def scrubbed(text: str) -> str:
    """One line, not too long, without anything that looks like a credential."""
    line = _CREDENTIAL.sub("…", " ".join(text.split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


class _Adopted(logging.Handler):
    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"part": record.name}
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = record.exc_info[0].__name__
            fields["at"] = _place(record.exc_info[2])
        try:
            # asyncio writes what it was doing on the first line, and the values it was doing it with on the others.
            self._log.log(record.levelno, scrubbed(record.getMessage().partition("\n")[0]), **fields)
        except (TypeError, ValueError, OSError):  # a malformed record, or nobody reads standard error any more
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name is logging's
        """Nothing: the inherited one prints the record as it is."""


def _place(tb: Any) -> str:
    frames = traceback.extract_tb(tb)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
