"""What lies in a state directory, opened: the ledger, its journal, the control row, the keys, the kept answers, the
accounts of budgets and rates, the secret.

The part of assembling that needs neither prices nor a network, apart from ``assemble`` because those take two seconds
to import: who only reads the books should not wait for them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

from pennyworth.decide.key import Keyring
from pennyworth.errors import ConfigError
from pennyworth.ledgers.folder import JournalFolder
from pennyworth.ledgers.lives import JournalLives
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.plan import Plan
from pennyworth.prices.currency import USD, Currency
from pennyworth.prices.overlay import currencies_in
from pennyworth.quotas.sqlite import SqliteQuotas
from pennyworth.stores.aes import AesCover
from pennyworth.stores.control import SqliteControl
from pennyworth.stores.cover import Marks
from pennyworth.stores.idempotency_sqlite import SqliteIdempotency
from pennyworth.stores.keybook import SqliteKeyBook
from pennyworth.stores.sqlite import SqliteStore

MEMORY = ":memory:"
"""The state directory that is none: everything lives in one process."""

LEDGER, CONTROL, KEYS, ANSWERS, QUOTAS = "ledger.db", "control.db", "keys.db", "answers.db", "quotas.db"
IDEMPOTENCY, JOURNAL = "idempotency.db", "journal"

SEALING = "store"
"""What the secret of the answers' file is derived for."""

Report = Callable[[str, str], None]
"""``report(part, what)``: one log line about something of ours that failed."""


def open_ledger(plan: Plan) -> SqliteLedger:
    """The ledger of a state directory, for reading while workers write it."""
    return SqliteLedger(state_dir(plan) / LEDGER)


def open_control(plan: Plan) -> SqliteControl:
    return SqliteControl(state_dir(plan) / CONTROL)


def open_idempotency(plan: Plan, keyring: Keyring) -> SqliteIdempotency:
    """The requests that bear a key, shared by the workers of a machine."""
    path, secret = state_dir(plan) / IDEMPOTENCY, keyring.derive("idempotency store")
    return SqliteIdempotency(path, secret, cover=_cover(plan, keyring))


def open_keybook(plan: Plan) -> SqliteKeyBook:
    """The virtual keys, which the workers of a machine share."""
    return SqliteKeyBook(state_dir(plan) / KEYS)


def new_client_key() -> str:
    """A secret for a client key: 256 bits of chance, in characters that every header and shell takes as they are."""
    return "pw-" + secrets.token_urlsafe(32)


def open_folder(plan: Plan, ledger: SqliteLedger, report: Report, worker: str = "") -> JournalFolder:
    folder = state_dir(plan) / JOURNAL
    return JournalFolder(folder, ledger, worker=worker, on_trouble=lambda what: report("ledger", what))


def open_quotas(plan: Plan, ledger: SqliteLedger, life: str = "") -> SqliteQuotas:
    """What is left of budgets and rates, as one life of a worker leases it; without one, for reading."""
    folder = state_dir(plan)
    return SqliteQuotas(folder / QUOTAS, life, JournalLives(folder / JOURNAL, ledger))


def open_exchange(plan: Plan) -> Callable[[str, float], Decimal | None]:
    """``PriceBook.exchange`` without the rest of the price book. Raises ``ConfigError``."""
    known: Mapping[str, Currency] = currencies_in(plan.prices.overlay) if plan.prices.overlay else {"USD": USD}
    return lambda currency, at_s: known[currency].rate(at_s) if currency in known else None


def open_answers(plan: Plan, keyring: Keyring, report: Report) -> SqliteStore:
    """The kept answers that the workers of a machine share."""
    secret = keyring.derive(SEALING)
    return SqliteStore(
        state_dir(plan) / ANSWERS,
        secret,
        plan.cache.max_entries,
        plan.cache.max_bytes,
        cover=_cover(plan, keyring),
        on_trouble=lambda what: report("store", what),
    )


def _cover(plan: Plan, keyring: Keyring) -> AesCover | None:
    if not plan.cache.encrypt:
        return None
    return AesCover(keyring.derive("encrypt"), Marks(keyring.derive(SEALING)))


def open_keyring(plan: Plan) -> Keyring:
    return Keyring(deployment_secret(state_dir(plan)))


def state_dir(plan: Plan) -> Path:
    """The directory, made if need be."""
    path = Path(plan.state_dir)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            "state_dir", f"{plan.state_dir!r} cannot be made: {error}", "Name a writable directory"
        ) from error
    return path


def deployment_secret(folder: Path) -> bytes:
    """The secret every key and seal derives from; made once, readable by its owner only. Losing it empties the cache."""
    path = folder / "secret"
    try:
        made = secrets.token_bytes(32)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_bytes(made)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)  # whole or not at all; whoever comes second takes the first one's
        temporary.unlink()
        secret = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            "state_dir", f"{path} cannot be read or made: {error}", "Make it readable for this user"
        ) from error
    if len(secret) < 32:
        raise ConfigError(
            "state_dir",
            f"{path} holds {len(secret)} bytes, not 32",
            "Delete it: a new one is made, the cache starts empty",
        )
    return secret
