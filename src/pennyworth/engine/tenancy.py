"""Keeps ``State.tenants`` true to the Plan, the key book and the clock: the one place that applies any of their changes."""

from __future__ import annotations

from pennyworth.clients import KeySet
from pennyworth.decide.keys import Seal
from pennyworth.decide.tenants import tenants_of
from pennyworth.engine.state import State
from pennyworth.engine.terms import Terms
from pennyworth.errors import StoreError
from pennyworth.ports import KeyBook


class Tenancy:
    """Made with the State it fills. Raises ``StoreError`` if the keys cannot be read at all: nobody is let in then.

    A book that fails later leaves the keys as they were last read, is reported, and confirms no change.
    """

    def __init__(self, state: State, book: KeyBook, seal: Seal) -> None:
        self._state = state
        self._book = book
        self._seal = seal
        self._apply(book.read())

    def adopt(self, terms: Terms) -> None:
        """Another configuration, from the next request on. What was remembered of callers is forgotten."""
        self._state.adopt(terms)
        self._apply(self._keys)

    def look(self) -> None:
        """Follows the key book and the clock. Called several times a second; mostly there is nothing to do."""
        keys = self._read()
        if keys is not self._keys and keys != self._keys:
            self._apply(keys)
        elif self._state.clock.wall_s() >= self._state.tenants.until_s:
            self._apply(self._keys)

    def _read(self) -> KeySet:
        try:
            return self._book.read()
        except StoreError as error:
            self._state.trouble("keys", str(error))
            return self._keys

    def _apply(self, keys: KeySet) -> None:
        self._keys = keys
        before = self._state.tenants.troubles
        tenants = tenants_of(self._state.plan, keys, self._state.clock.wall_s(), self._seal)
        self._state.tenants = tenants
        for trouble in tenants.troubles:
            if trouble not in before:
                self._state.trouble("keys", trouble)
