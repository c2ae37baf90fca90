"""Which processes are still alive? Each holds a lock (flock) on a file of its own, which the kernel lets go of when it
dies, however it dies. A process is known by its ``run``, which no other one will ever bear.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from pennyworth.errors import StoreError


class Alive:
    """This process's sign of life, in a folder that the processes share, from its making to ``close``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.run = secrets.token_hex(8)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._fd = _locked(folder / self.run)
        except OSError as error:
            raise StoreError(f"{folder.name}: no sign of life can be put there: {error.strerror}") from error
        self._tidy()

    def lives(self, run: str) -> bool:
        """Whether the process of this run still holds its lock."""
        if run == self.run:
            return True
        try:
            fd = os.open(self._folder / run, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"{self._folder.name}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            (self._folder / self.run).unlink(missing_ok=True)
        os.close(self._fd)

    def _tidy(self) -> None:
        """Removes the signs of the dead: that a file is not there says the same."""
        with contextlib.suppress(OSError, StoreError):
            for name in os.listdir(self._folder):
                if not name.startswith(".") and not self.lives(name):
                    (self._folder / name).unlink(missing_ok=True)


def _locked(path: Path) -> int:
    """Made under another name first: from when it bears its own, it is locked, so nobody takes it for a dead one's."""
    temporary = path.with_name(f".{path.name}")
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.rename(temporary, path)
    except OSError:
        os.close(fd)
        raise
    return fd
