"""What the engine has to report goes to the program's own logging, under ``pennyworth``: a library has no log of its own."""

from __future__ import annotations

import logging

from pennyworth.server.logs import scrubbed

_LOG = logging.getLogger("pennyworth")


def report(part: str, what: str) -> None:
    """One line, without anything that looks like a credential."""
    _LOG.warning("%s: %s", part, scrubbed(what))
