"""Writing a batch of kept answers, whole or not at all: inside the caller's transaction, in about twenty steps."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pennyworth.request import Key
from pennyworth.stores.many import for_many, write_many
from pennyworth.stores.removal import count_keys, drop_answers
from pennyworth.stores.schema import PROVEN, THESE_KEYS, Totals, all_of
from pennyworth.stores.seal import Row

_LAST_ANSWER = "SELECT coalesce(max(n), 0) FROM answers"
_LAST_NEWCOMER = "SELECT coalesce((SELECT n FROM keys WHERE n < ? ORDER BY n DESC LIMIT 1), 0)"

_ANSWERS = "SELECT json_group_array(json_array(id, n, size)) FROM answers WHERE id IN (VALUES {rows})"
_ADD_ANSWERS = "INSERT INTO answers (n, id, keys, size, body) VALUES {rows}"
_CHANGE_ANSWERS = (
    "UPDATE answers SET size = column2, body = column3 FROM (VALUES {rows})"
    " WHERE n = column1 AND (body IS NOT column3 OR size <> column2)"
)

_KEYS = (
    "SELECT json_group_array(json_array(hex(k.key), k.n, k.answer, a.keys, a.size))"  # noqa: S608 our own names
    f" FROM keys AS k LEFT JOIN answers AS a ON a.n = k.answer WHERE k.{THESE_KEYS}"
)
_PUT_KEYS = (
    "INSERT OR REPLACE INTO keys (n, key, answer, dead_s, created_s, asked_epoch, scope, model, asked_key, tags, client, end_user,"
    " read, head, mac)"
    " VALUES {rows}"
)


def write(db: sqlite3.Connection, rows: Sequence[Row], totals: Totals) -> None:
    """Adds or replaces. A key that is there keeps its place in the queue and counts as read: somebody asked again."""
    if not rows:
        return
    led_to = Counter(row.answer.id for row in rows)
    there = {id_: (n, size) for id_, n, size in _found(db, _ANSWERS, list(led_to))}
    answers = {row.answer.id: row for row in rows}  # an id used twice: the last wins, and keys of others find nothing
    numbers = {id_: n for id_, (n, _) in there.items()}
    new = [row for id_, row in answers.items() if id_ not in there]
    first = db.execute(_LAST_ANSWER).fetchone()[0] + 1
    numbers |= {row.answer.id: n for n, row in enumerate(new, first)}
    write_many(db, _ADD_ANSWERS, [(numbers[id_ := row.answer.id], id_, led_to[id_], row.size, row.body) for row in new])
    old = [row for id_, row in answers.items() if id_ in there]
    write_many(db, _CHANGE_ANSWERS, [(numbers[row.answer.id], row.size, row.body) for row in old])
    totals.bytes += sum(row.size for row in new) + sum(row.size - there[row.answer.id][1] for row in old)
    _put_keys(db, rows, numbers, Counter({n: led_to[id_] for id_, (n, _) in there.items()}), totals)


def _put_keys(
    db: sqlite3.Connection, rows: Sequence[Row], numbers: dict[str, int], more: Counter[int], totals: Totals
) -> None:
    places: dict[Key, int] = {}
    left: dict[int, tuple[int, int]] = {}
    for key, n, answer, keys, size in _found(db, _KEYS, [row.key for row in rows]):
        places[Key(bytes.fromhex(key))] = n
        more[answer] -= 1
        left[answer] = (keys or 0, size or 0)
    n = db.execute(_LAST_NEWCOMER, (PROVEN,)).fetchone()[0]
    put = []
    for row in rows:
        place = places.get(row.key)
        if place is None:
            n += 1
        put.append(_key_row(row, numbers[row.answer.id], place or n, read=place is not None))
    write_many(db, _PUT_KEYS, put)
    totals.entries += len(rows) - len(places)
    totals.newcomers += len(rows) - len(places)
    gone = [answer for answer, (keys, _) in left.items() if keys + more[answer] <= 0]
    totals.bytes -= sum(left[answer][1] for answer in gone)
    drop_answers(db, gone)
    count_keys(db, {answer: count for answer, count in more.items() if count and answer not in gone})


def _key_row(row: Row, answer: int, n: int, *, read: bool) -> tuple[object, ...]:
    told, facts = row.answer, row.facts
    whose = (facts.scope, facts.model, told.key, facts.tags, facts.client, facts.end_user)
    return (n, row.key, answer, row.dead_s, told.created_s, told.asked_epoch, *whose, read, row.head, row.mac)


def _found(db: sqlite3.Connection, statement: str, values: Sequence[object]) -> Iterator[Any]:
    for many, parameters in for_many(statement, values):
        yield from all_of(db, many, parameters)
