"""The gateway inside a program: what its users write. No server, no socket; the same engine, configuration and books."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from pennyworth.config import load, with_sandbox
from pennyworth.errors import ConfigError, PennyworthError
from pennyworth.outcome import Receipt
from pennyworth.plan import Plan
from pennyworth.sandbox import SandboxServer
from pennyworth.secret import Secret
from pennyworth.transport.bearing import receipt_id
from pennyworth.transport.figures import figures
from pennyworth.transport.house import House
from pennyworth.transport.log import report
from pennyworth.transport.porter import Porter

if TYPE_CHECKING:
    import httpx
    import httpx2


class Pennyworth:
    """The gateway as a library, for the ``http_client`` of an SDK::

        with Pennyworth() as pw:
            client = OpenAI(http_client=pw.http_client(), api_key="unused")

    The configuration is the server's: a file (or ``PENNYWORTH_CONFIG``) and the environment, or a ``Plan``; so are the
    receipts and the state directory, which may be shared with a server and with other processes. It serves any thread and
    any asyncio loop; a process that forks gets an engine of its own in each child. ``sandbox``: a simulated provider
    answers for every model that no other provider is asked for.

    Raises:
        ConfigError: what is wrong with the configuration, and how to mend it.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Plan | None = None,
        *,
        env: Mapping[str, str] | None = None,
        sandbox: bool = False,
    ) -> None:
        self._opened = ExitStack()
        self._house: House | None = None
        self._closed = False
        self._opening = threading.RLock()  # a signal handler may close it while it opens
        self._parents: list[House] = []
        plan = config if isinstance(config, Plan) else load(os.fspath(config) if config else None, env or os.environ)
        if sandbox:
            plan = with_sandbox(plan, self._opened.enter_context(SandboxServer(process=True)).base_url)
        self._plan = _for_its_operator(plan)
        try:
            self._at_home()
        except BaseException:
            self._opened.close()
            raise
        _tell_of_forks_and_the_end(self)

    # Clients.

    def http_client(self, *, key: str = "", **options: Any) -> httpx2.Client:
        """For ``OpenAI(http_client=...)`` and ``Anthropic(http_client=...)``; by itself, for any path the gateway serves.

        Args:
            key: the client key of the configuration, by its name, whose requests these are. Without one they are the
                operator's own; but where keys are configured, the SDK's ``api_key`` is to be one of them.
            options: of ``httpx2.Client``: ``timeout``, ``headers``, ``event_hooks`` ...
        """
        made: httpx2.Client = _over("httpx2").client(self._porter(key), options)
        return made

    def async_http_client(self, *, key: str = "", **options: Any) -> httpx2.AsyncClient:
        """The same for ``AsyncOpenAI`` and ``AsyncAnthropic``, in any asyncio loop."""
        made: httpx2.AsyncClient = _over("httpx2").async_client(self._porter(key), options)
        return made

    def legacy_http_client(self, *, key: str = "", **options: Any) -> httpx.Client:
        """The same for what runs on ``httpx``: SDKs from before they went over to ``httpx2``."""
        made: httpx.Client = _over("httpx").client(self._porter(key), options)
        return made

    def legacy_async_http_client(self, *, key: str = "", **options: Any) -> httpx.AsyncClient:
        """The asynchronous one for what runs on ``httpx``."""
        made: httpx.AsyncClient = _over("httpx").async_client(self._porter(key), options)
        return made

    # The books.

    def receipt(self, reply: object) -> Receipt:
        """What became of a request: by the parsed reply, raw response, stream or error that an SDK gave, or by its id.

        It waits for the books to be brought up to date, milliseconds: in a coroutine, ``await asyncio.to_thread(pw.receipt,
        reply)``. A stream's receipt is written at its end. Raises ``LookupError``: there is none.
        """
        name, house = receipt_id(reply), self._at_home()
        found = house.run(house.books.receipt(name))
        if found is None:
            raise LookupError(
                f"There is no receipt {name}: a stream has one when it has ended, and each state directory has its own."
            )
        return found

    def stats(self) -> dict[str, Any]:
        """What ``GET /api/v1/stats`` of the admin port gives: ``ledger`` for all who share the state directory, ``process``
        for this one: requests, how they were served, spent, what it would have cost, saved by layer."""
        house = self._at_home()
        return house.run(figures(house))

    # Its end.

    def close(self) -> None:
        """Ends what is under way, and returns when all is written and closed. May be called twice."""
        with self._opening:
            self._closed = True
            house, self._house = self._house, None
        if house is not None:
            house.close()
        self._opened.close()

    def __enter__(self) -> Pennyworth:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Pennyworth:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    # Within.

    def _porter(self, key: str) -> Porter:
        if not key:
            return Porter(self._at_home, Secret(""))
        for known in self._plan.keys:
            if known.name == key:
                return Porter(self._at_home, known.secret)
        names = ", ".join(known.name for known in self._plan.keys) or "none"
        raise ConfigError(
            "key",
            f"the configuration has no client key {key!r} (there are: {names})",
            "Name one of them; a virtual key's secret goes into the SDK's api_key.",
        )

    def _at_home(self) -> House:
        """The engine of this process."""
        return self._house or self._move_in()

    def _move_in(self) -> House:
        with self._opening:
            if self._closed:
                raise PennyworthError("This Pennyworth is closed. Make another, or close it later.")
            if self._house is None:
                self._house = House(self._plan, report, f"app-{os.getpid()}")
            return self._house

    def _forked(self) -> None:
        """In a child: the threads are gone, and what they held is the parent's. It is not touched, not even to let go of
        it: to close a database that another process has open would be to take its locks."""
        if self._house is not None:
            self._parents.append(self._house)
        self._house = None
        self._opening = threading.RLock()
        self._opened = ExitStack()


def _for_its_operator(plan: Plan) -> Plan:
    """Who runs the program may ask; where there are client keys, or callers bring their own, it is for those to say who."""
    if not plan.providers:
        raise ConfigError(
            "providers",
            "none is configured, and a program must not be answered by a simulator unawares",
            "Set a provider's key, such as OPENAI_API_KEY, or name one in the file; Pennyworth(sandbox=True) simulates one.",
        )
    return plan if plan.keys else msgspec.structs.replace(plan, allow_anonymous=True)


def _tell_of_forks_and_the_end(pennyworth: Pennyworth) -> None:
    """Neither keeps it alive."""
    known = weakref.ref(pennyworth)

    def forked() -> None:
        if (one := known()) is not None:
            one._forked()

    def ended() -> None:
        if (one := known()) is not None:
            one.close()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forked)
    atexit.register(ended)


def _over(library: str) -> Any:
    """The transports over this HTTP library, which need not be installed by who does not ask for them."""
    try:
        if library == "httpx2":
            from pennyworth.transport import over_httpx2

            return over_httpx2
        from pennyworth.transport import over_httpx

        return over_httpx
    except ModuleNotFoundError as error:
        brings = {"httpx2": "'pip install openai' or 'pip install anthropic'", "httpx": "'pip install httpx'"}[library]
        raise ImportError(f"{error.name} is not installed, which this client is made of: {brings}") from error
