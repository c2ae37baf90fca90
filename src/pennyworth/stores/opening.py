"""How a SQLite file of ours is opened, migrated and, when it is damaged, set aside; and what its errors mean.

It knows nothing of what the tables hold. A file that is somebody else's, or of a newer Pennyworth, is refused rather
than touched; a damaged one is moved, never deleted, and by one process at a time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from pennyworth.errors import ConfigError, StoreError
from pennyworth.sqlite_files import make_private

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH}
"""Primary result codes that mean the file itself is wrong: no statement of ours breaks a constraint in a sound one."""

_WORDS = {
    sqlite3.SQLITE_FULL: "no room: the disk is full",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only",
    sqlite3.SQLITE_BUSY: "locked by another process",
    sqlite3.SQLITE_LOCKED: "locked by another process",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: does the folder exist, and may we write there?",
    sqlite3.SQLITE_PERM: "permission denied",
}

ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What a statement may raise. The second: SQLite quotes a damaged schema in its message, and the bytes are no text."""

_OPENING_S = 5.0
"""How long opening waits for another process that is creating, migrating or moving the same file."""


class Schema(msgspec.Struct, frozen=True):
    """What a kind of file holds: ``steps[i]`` is the script that takes schema version i to i + 1.

    ``application_id`` stands in the file's header and tells our files from those of other programs. ``settings`` are
    pragmas for the connection that writes.
    """

    name: str
    application_id: int
    steps: tuple[str, ...]
    settings: tuple[str, ...] = ()


class DamagedError(StoreError):
    """The file is no database, or broken inside."""


def in_words(error: Exception, path: Path) -> str:
    """What is wrong with the file, for people."""
    code = getattr(error, "sqlite_errorcode", 0)
    name = getattr(error, "sqlite_errorname", "")
    return f"{path.name}: {_WORDS.get(code & 0xFF, f'{error} {name}'.rstrip())}"


def is_damage(error: Exception) -> bool:
    """Whether the file is broken, rather than in use, full or out of reach."""
    code = getattr(error, "sqlite_errorcode", 0)
    other_tables = "no such" in str(error) or "no column" in str(error) or isinstance(error, UnicodeDecodeError)
    return code & 0xFF in _DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ or other_tables


def connect(path: Path, schema: Schema, timeout_s: float) -> sqlite3.Connection:
    """Opens the file and brings it to the newest schema, making it if it is not there.

    Raises ``ConfigError`` for a file that is not ours or is newer, ``DamagedError``, or ``StoreError``.
    """
    try:
        make_private(path)
        db = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
        try:
            _prepare(db, path, schema)
        except BaseException:
            db.close()
            raise
    except ERRORS as error:
        raise (DamagedError if is_damage(error) else StoreError)(in_words(error, path)) from error
    except OSError as error:
        raise StoreError(f"{path.name}: cannot be opened: {error.strerror}") from error
    return db


def connect_to_read(path: Path, timeout_s: float) -> sqlite3.Connection:
    """A second connection, for reading. Text comes as bytes: damaged text is then a value, not an exception."""
    reader = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    reader.text_factory = bytes
    with suppress(*ERRORS):  # 2 MiB: 8 make no hit cheaper. No mmap: a file cut short under it would kill the process
        reader.execute("PRAGMA cache_size = -2048")
    return reader


def _prepare(db: sqlite3.Connection, path: Path, schema: Schema) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    owner = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner != schema.application_id and tables:
        raise ConfigError("state_dir", f"{path} is a database of another program", "Choose another folder.")
    if version > len(schema.steps):
        raise ConfigError(
            "state_dir",
            f"{path} has schema {version} of the {schema.name}, this Pennyworth knows up to {len(schema.steps)}",
            "Run the newer Pennyworth that wrote it, or move the file away and start with an empty one.",
        )
    for setting in ("trusted_schema = OFF", "cell_size_check = ON", *schema.settings):
        db.execute(f"PRAGMA {setting}")
    if version < len(schema.steps):
        db.execute("PRAGMA journal_mode = WAL")
        _migrate(db, schema, version)


def _migrate(db: sqlite3.Connection, schema: Schema, version: int) -> None:
    """All steps in one transaction: a crash leaves the old schema, whole."""
    script = "".join(schema.steps[version:])
    marks = f"PRAGMA application_id = {schema.application_id}; PRAGMA user_version = {len(schema.steps)};"
    try:
        db.executescript(f"BEGIN IMMEDIATE;{script}{marks}COMMIT;")
    finally:
        roll_back(db)


def roll_back(db: sqlite3.Connection) -> None:
    """Ends an open transaction. Where even that fails the connection is lost, and its owner opens another."""
    if db.in_transaction:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")


@contextmanager
def only_one_process(path: Path) -> Iterator[None]:
    """Holds the right to create, migrate or move the file. The lock is SQLite's own, on an empty file beside it."""
    try:
        with closing(sqlite3.connect(f"{path}.lock", timeout=_OPENING_S, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            yield
    except sqlite3.Error as error:
        raise StoreError(in_words(error, path)) from error


def move_aside(path: Path) -> Path:
    """Renames a damaged file and its log to ``<name>.corrupt-<time>``; only the newest such file is kept.

    The log goes first: SQLite would otherwise apply it to the file made next.
    """
    aside = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%dT%H%M%S')}")
    for old in path.parent.glob(f"{path.name}.corrupt-*"):
        old.unlink(missing_ok=True)
    Path(f"{path}-shm").unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        Path(f"{path}-wal").rename(f"{aside}-wal")
    with suppress(FileNotFoundError):
        path.rename(aside)
    return aside


@contextmanager
def told(path: Path, mend: str) -> Iterator[None]:
    """Errors of a file in words; where it is damaged, with how to ``mend`` it. Raises ``StoreError``."""
    try:
        yield
    except DamagedError as error:
        raise StoreError(f"{error}. {mend}") from error
    except ERRORS as error:
        raise StoreError(f"{in_words(error, path)}{f'. {mend}' if is_damage(error) else ''}") from error


@contextmanager
def beside(path: Path, schema: Schema, wait_s: float) -> Iterator[sqlite3.Connection | None]:
    """A connection of one's own to a file that others use; ``None`` where there is no file. Raises ``StoreError``."""
    if not path.exists():
        yield None
        return
    try:
        with only_one_process(path):
            db = connect(path, schema, wait_s)
        with closing(db):
            yield db
    except ERRORS as error:
        raise StoreError(in_words(error, path)) from error
