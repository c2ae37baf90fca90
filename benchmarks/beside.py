"""What a thread's work costs the process while another serves requests: CPU time, with the interpreter lock fought over.

A background thread that often lets go of the lock pays for it twice: it must wait until the serving thread lets go, and
wakes in vain each time that one takes it back first. A quiet machine shows nothing of this.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

_UNITS = 5_000


class Serving:
    """The calling thread as a server: some 60 µs of Python, then a send and a receive by TCP, over and over."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            near = socket.create_connection(listening.getsockname())
            self._pair = (near, listening.accept()[0])
        started = time.process_time()
        for _ in range(_UNITS):
            self._unit()
        self._unit_s = (time.process_time() - started) / _UNITS

    def cpu_beside(self, work: Callable[[], object]) -> float:
        """CPU seconds that the process spends on ``work`` in a thread, beyond what the serving itself takes."""
        done = threading.Event()

        def run() -> None:
            try:
                work()
            finally:
                done.set()

        started, units = time.process_time(), 0
        thread = threading.Thread(target=run)
        thread.start()
        while not done.is_set():
            self._unit()
            units += 1
        thread.join()
        return time.process_time() - started - units * self._unit_s

    def close(self) -> None:
        for end in self._pair:
            end.close()

    def _unit(self) -> None:
        sum(number & 3 for number in range(1_200))
        self._pair[0].send(b"x" * 500)
        self._pair[1].recv(1_000)


def cpu_alone(work: Callable[[], object]) -> float:
    """CPU seconds that the process spends on ``work`` when it does nothing else."""
    started = time.process_time()
    work()
    return time.process_time() - started
