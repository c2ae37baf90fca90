"""The batch itself, in a small file beside its output: its name, the file it is of, and what was sent to providers.

It is written whole or not at all, and waited for the disk, before anything that costs money is done on its word.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Literal

import msgspec

from pennyworth.batch.errors import BatchError
from pennyworth.batch.spool import Tally

State = Literal["begun", "sent", "done", "dropped"]


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One batch at a provider.

    Attributes:
        number: by which the spool knows its lines. ``tag``: by which the provider does.
        provider, path, model: whom it was sent to, and what each of its requests asks.
        state: ``begun``: about to be sent, perhaps it was. ``sent``: the provider's name for it is ``id``. ``done``: all
            that it brought is in the spool and in the books. ``dropped``: it was not taken; nothing is paid.
        epoch: of the control row when its first line was asked: what was purged or forgotten since is not kept.
        begun_s: Unix time. ``lines``: how many. ``receipt``: the id of its intent. ``estimate``: of
            its cost, in picodollars.
    """

    number: int
    tag: str
    provider: str
    path: str
    model: str
    begun_s: float
    lines: int
    receipt: str
    state: State = "begun"
    id: str = ""
    estimate: int = 0
    epoch: int = 0

    def moved(self, state: State, batch_id: str = "") -> Lane:
        return msgspec.structs.replace(self, state=state, id=batch_id or self.id)

    def receipt_of(self, line: int) -> str:
        """The id of a line's receipt, the same whoever writes it: a reply that is booked twice counts once."""
        return f"{self.receipt.rpartition('-')[0]}-{line:06x}"

    def line_of(self, name: str) -> int | None:
        """Which line was sent under this name; ``None``: none of ours."""
        tag, _, number = name.rpartition("-")
        return int(number) if tag == self.tag and number.isascii() and number.isdigit() else None


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """``id``: random, part of every Idempotency-Key. ``digest``: of the input. ``due_s``: when a deadline runs out.
    ``tally``: what it came to, once it is finished."""

    id: str
    source: str
    digest: str
    lines: int
    finished: bool = False
    tally: Tally | None = None
    deadline_s: float = 0.0
    due_s: float = 0.0
    lanes: tuple[Lane, ...] = ()


class Keep:
    """The card at its place. ``card`` is what the file holds."""

    def __init__(self, path: Path, card: Card) -> None:
        self._path = path
        self.card = card

    def write(self, **changes: object) -> None:
        """Raises ``BatchError``."""
        card = msgspec.structs.replace(self.card, **changes)
        try:
            write_whole(self._path, msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n")
        except OSError as error:
            problem = f"{self._path} cannot be written: {error.strerror}."
            raise BatchError(problem, "Make room or give leave there, or name another output.") from error
        self.card = card

    def lane(self, lane: Lane) -> None:
        """A new one, or what has changed of one."""
        others = [each for each in self.card.lanes if each.number != lane.number]
        self.write(lanes=(*others, lane))


def new_card(source: Path, digest: str, lines: int) -> Card:
    return Card(id=secrets.token_hex(8), source=str(source), digest=digest, lines=lines)


def read_card(path: Path) -> Card | None:
    """``None`` where there is none. Raises ``BatchError``."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Card)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise BatchError(f"{path} cannot be read: {error}.", "Name another output, or remove the file.") from error


def write_whole(path: Path, content: bytes) -> None:
    """Raises ``OSError``; then the file is as it was."""
    temporary = path.with_name(f"{path.name}.new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(path: Path) -> None:
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
