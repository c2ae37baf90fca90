"""The shared control row: kill switch, purge epochs and switches, in memory or in a small SQLite file."""

from __future__ import annotations

from pathlib import Path

from pennyworth.stores.row import Form, MemoryRow, SqliteRow
from pennyworth.view import Control

_FORM = Form(
    name="control row",
    table="control",
    application_id=0x50574352,
    mend="Stop all workers, move the file away, start again, and purge everything: it may have held purges.",
)


class MemoryControl(MemoryRow[Control]):
    """A ``ControlRow`` for one process."""

    def __init__(self, row: Control | None = None) -> None:
        super().__init__(row or Control())


class SqliteControl(SqliteRow[Control]):
    """A ``ControlRow`` in a file. ``first`` is the row of a new file."""

    def __init__(self, path: Path, first: Control | None = None) -> None:
        super().__init__(path, _FORM, first or Control())
