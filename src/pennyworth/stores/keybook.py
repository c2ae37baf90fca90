"""The virtual keys, in memory or in a small SQLite file. It holds keyed hashes; no secret ever reaches it."""

from __future__ import annotations

from pathlib import Path

from pennyworth.clients import KeySet
from pennyworth.stores.row import Form, MemoryRow, SqliteRow

_FORM = Form(
    name="key book",
    table="keys",
    application_id=0x50574B42,
    mend="Stop all workers, move the file away, start again, and make new keys: the old ones are known no more.",
)


class MemoryKeyBook(MemoryRow[KeySet]):
    """A ``KeyBook`` for one process."""

    def __init__(self) -> None:
        super().__init__(KeySet())


class SqliteKeyBook(SqliteRow[KeySet]):
    """A ``KeyBook`` in a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _FORM, KeySet())
