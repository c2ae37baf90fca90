"""What every SQLite file of ours needs, whoever's it is: its owner alone may read it, and it is written ahead."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path


def make_private(path: Path) -> None:
    """An empty file that only its owner may read, if there is none; ``-wal`` and ``-shm`` take its mode. Raises ``OSError``."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def write_ahead(db: sqlite3.Connection, patience_s: float) -> None:
    """Sets the journal mode. SQLite asks no busy handler while a fresh file changes it, so processes that start at once
    collide: each tries for as long as ``patience_s``, then ``sqlite3.OperationalError`` is raised."""
    give_up = time.monotonic() + patience_s
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return
