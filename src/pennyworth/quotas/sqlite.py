"""Accounts in one SQLite file, shared by the processes of a machine.

A lease is asked for on the request path, over a connection that waits 30 ms at most; bills are settled many at once, from
another thread and over another connection, which is also the one that waits for the disk when the log is folded in.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from pennyworth.errors import StoreError
from pennyworth.ports import Account, Bill, Standing
from pennyworth.quotas.lives import Lives, NoLives, opening
from pennyworth.quotas.schema import connect
from pennyworth.quotas.sharing import Lease, clamped, share_of, unsettled

_FRONT_BUSY_S = 0.03
_BACK_BUSY_S = 5.0

_FIND = "SELECT used, leased FROM accounts WHERE subject = ? AND unit = ? AND since = ? AND until = ?"
_ASK = "INSERT INTO asks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_GRANTED = (
    "SELECT granted FROM leases WHERE life = ? AND account ="
    " (SELECT id FROM accounts WHERE subject = ? AND unit = ? AND since = ? AND until = ?)"
)
_COLUMNS = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(6))
_SETTLE = f"INSERT INTO bills SELECT ?1, {_COLUMNS} FROM json_each(?2) ORDER BY key"  # noqa: S608 our own words
_STAND = (
    "SELECT json_group_array(json_array(used, leased)) FROM (SELECT a.used, a.leased FROM json_each(?1) b JOIN accounts a"
    " ON a.subject = json_extract(b.value, '$[0]') AND a.unit = json_extract(b.value, '$[1]')"
    " AND a.since = json_extract(b.value, '$[2]') AND a.until = json_extract(b.value, '$[3]') ORDER BY b.key)"
)
_LIVES = "SELECT json_group_array(DISTINCT life) FROM leases WHERE life != ?"
_ALL_HELD = (
    "SELECT l.account, l.amount, l.settled, l.since, a.subject, a.unit, a.since, a.until"
    " FROM leases l JOIN accounts a ON a.id = l.account WHERE l.life = ?"
)
"""As rows, not as JSON: SQLite writes fifteen digits of a number there, and a moment has seventeen."""
_BURY = "INSERT INTO burials SELECT ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?2)"
_TELL = "INSERT INTO said VALUES (?, ?) ON CONFLICT DO UPDATE SET until = excluded.until WHERE until < excluded.until"

_OVER = (
    "(SELECT id FROM accounts WHERE until < (SELECT max(since) FROM accounts)"
    " - CASE unit WHEN 'pico' THEN 34560000 ELSE 3600 END)"
)
"""Windows long over: an hour for rates, four hundred days for money."""

_SWEEP = (
    f"DELETE FROM leases WHERE amount = 0 AND account IN {_OVER}",  # noqa: S608 our own words
    f"DELETE FROM accounts WHERE id IN {_OVER} AND id NOT IN (SELECT account FROM leases)",  # noqa: S608
    "DELETE FROM said WHERE until < (SELECT max(since) FROM accounts) - 34560000",
)


class SqliteQuotas:
    """``Quotas`` and ``Notices`` of one life of a worker (``life``); "" for who only reads and recovers.

    ``ConfigError`` when the file is a newer Pennyworth's or another program's, ``StoreError`` when it cannot be used.
    """

    def __init__(self, path: Path, life: str = "", lives: Lives | None = None) -> None:
        self._path = path
        self._life = life
        self._lives = lives or NoLives()
        self._in_front, self._behind = threading.Lock(), threading.Lock()
        with self._errors(), ExitStack() as opened:
            self._front = opened.enter_context(closing(connect(path, busy_s=_FRONT_BUSY_S, checkpoints=False)))
            self._back = opened.enter_context(closing(connect(path, busy_s=_BACK_BUSY_S, checkpoints=True)))
            self._opened = opened.pop_all()

    def lease(self, account: Account, ceiling: int, want: int, least: int, since_s: float = 0.0) -> int:
        place = _place(account)
        with self._in_front, self._errors():
            now = self._find(account)
            used = now.used if now else opening(account, self._lives)
            if not share_of(ceiling - used - (now.leased if now else 0), want, least):
                return 0  # nobody waits for the right to write in order to be told no
            self._front.execute(_ASK, (self._life, *place, used, ceiling, want, least, since_s))
            return int(self._front.execute(_GRANTED, (self._life, *place)).fetchone()[0])

    def settle(self, bills: Sequence[Bill]) -> Sequence[Standing]:
        if not bills:
            return []
        rows = json.dumps([[*_place(bill.account), clamped(bill.used), clamped(bill.back)] for bill in bills])
        with self._behind, self._errors():
            self._back.execute(_SETTLE, (self._life, rows))
            try:
                stand = json.loads(self._back.execute(_STAND, (rows,)).fetchone()[0])
            except sqlite3.Error:  # it is settled: who hears that it is not would settle it again
                stand = [(0, 0)] * len(bills)
            return [Standing(*each) for each in stand]

    def standing(self, account: Account) -> Standing:
        with self._in_front, self._errors():
            return self._find(account) or Standing()

    def recover(self) -> int:
        with self._behind, self._errors():
            others = json.loads(self._back.execute(_LIVES, (self._life,)).fetchone()[0])
        closed = [life for life in others if self._lives.closed(life)]
        for life in closed:
            self._bury(life)
        with self._behind, self._errors():
            for statement in _SWEEP:
                self._back.execute(statement)
        return len(closed)

    def first(self, what: str, until_s: float) -> bool:
        with self._behind, self._errors():
            return self._back.execute(_TELL, (what, until_s)).rowcount == 1

    def close(self) -> None:
        with self._in_front, self._behind, self._errors():
            self._opened.close()

    def _find(self, account: Account) -> Standing | None:
        row = self._front.execute(_FIND, _place(account)).fetchone()
        return Standing(*row) if row else None

    def _bury(self, life: str) -> None:
        """The books are asked between two statements: a closed life's no longer change, nor do its leases, unless
        somebody else has buried it meanwhile; then nothing happens."""
        with self._behind, self._errors():
            held = self._back.execute(_ALL_HELD, (life,)).fetchall()
        rows = [[row[0], self._unsettled(life, Lease(*row[1:4]), Account(*row[4:]))] for row in held]
        with self._behind, self._errors():
            self._back.execute(_BURY, (life, json.dumps(rows)))

    def _unsettled(self, life: str, lease: Lease, account: Account) -> int:
        spent = self._lives.spent(life, account, lease.since_s) if account.unit == "pico" else None
        return unsettled(lease, spent)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self._path.name}: {error}") from error


def _place(account: Account) -> tuple[str, str, float, float]:
    return account.subject, account.unit, account.since_s, account.until_s
