"""The one place that applies changes of keys: what it does when the book fails, and what it says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pennyworth.assemble import open_prices
from pennyworth.clients import ClientKey
from pennyworth.decide import keys
from pennyworth.decide.key import Keyring
from pennyworth.decide.keys import Wanted, sealer
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.engine.clock import SystemClock
from pennyworth.engine.state import State
from pennyworth.engine.tenancy import Tenancy
from pennyworth.engine.terms import Terms, make_terms
from pennyworth.errors import StoreError
from pennyworth.plan import Plan
from pennyworth.secret import Secret
from pennyworth.stores.keybook import SqliteKeyBook
from pennyworth.view import Control

SEAL = sealer(Keyring(b"s" * 32))
PLAN = Plan(providers=(), lifetimes=DEFAULT_LIFETIMES)
CLASHING = Plan(
    providers=(), lifetimes=DEFAULT_LIFETIMES, keys=(ClientKey(name="alice", secret=Secret("configured"), scope="a"),)
)


def terms(plan: Plan) -> Terms:
    return make_terms(plan, open_prices(plan))


class Desk:
    """A tenancy over a book in a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.db"
        self.said: list[str] = []
        self.state = State(
            terms(PLAN), Control(), SystemClock(), b"seed", lambda part, what: self.said.append(f"{part}: {what}")
        )
        self.book = SqliteKeyBook(self.path)
        self.tenancy = Tenancy(self.state, self.book, SEAL)

    def create(self, name: str) -> None:
        key = keys.made(Wanted(name=name, scope=name), f"pw-{name}", SEAL, 1.0)
        self.book.change(lambda row: keys.create(row, key, ()))

    def damage(self) -> None:
        with sqlite3.connect(self.path) as db:
            db.execute("UPDATE keys SET digest = zeroblob(32)")
        db.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.book.close()


def test_a_look_that_finds_nothing_new_changes_nothing(desk: Desk):
    desk.create("alice")
    desk.tenancy.look()
    before = desk.state.tenants
    assert SEAL("pw-alice") in before.callers
    for _ in range(3):
        desk.tenancy.look()
    assert desk.state.tenants is before, "what the door remembers is forgotten with this value"


def test_a_book_that_breaks_leaves_the_last_keys_in_force_and_is_reported_and_confirms_nothing(desk: Desk):
    desk.create("alice")
    desk.tenancy.look()
    before = desk.state.tenants
    desk.damage()
    desk.tenancy.look()
    assert desk.state.tenants is before
    assert desk.state.tenants.version == 1
    assert "keys: keys.db: the key book is damaged" in desk.said[0]


def test_a_book_that_cannot_be_read_at_the_start_stops_the_start(desk: Desk):
    desk.damage()
    book = SqliteKeyBook(desk.path)
    with pytest.raises(StoreError, match="damaged"):
        Tenancy(desk.state, book, SEAL)
    book.close()


def test_another_configuration_holds_at_once_and_what_it_contradicts_is_said_once(desk: Desk):
    desk.create("alice")
    desk.tenancy.look()
    desk.tenancy.adopt(terms(CLASHING))
    assert desk.state.plan is CLASHING
    assert set(desk.state.tenants.callers) == {SEAL("configured")}
    desk.create("bob")
    desk.tenancy.look()
    assert [said for said in desk.said if "the virtual key 'alice' is not in force" in said] == desk.said
    assert len(desk.said) == 1
    desk.tenancy.adopt(terms(PLAN))
    assert SEAL("pw-alice") in desk.state.tenants.callers
