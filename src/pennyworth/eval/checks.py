"""What ``eval wire`` asks of each row: one question a function, which may pass a row over.

A check says whether it holds, and a word on it: the reason where it does not, else what there is to count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from pennyworth.decide import cacheable
from pennyworth.eval import carried, cuts, plain, rebuilt
from pennyworth.eval.carried import Carried
from pennyworth.eval.case import Case
from pennyworth.eval.never import never
from pennyworth.plan import CacheSpec, Route
from pennyworth.ports import PriceBook

PRICED_AT_S = 1_793_491_200.0
"""2026-11-01: so that the figures are the same tomorrow, with the same book."""

_ROUTE, _SPEC = Route(), CacheSpec()
_SELLERS: Mapping[str, str] = {"gemini": "google", "vertex": "google", "huggingface": "huggingface_together"}
"""Where the price book's id is not the name in the recordings."""
_UNREAD = ("error", "cut")


class Settings(NamedTuple):
    """``seed``: for where streams are cut."""

    book: PriceBook
    seed: int = 1


class Finding(NamedTuple):
    measure: str
    right: bool
    why: str = ""


Check = Callable[[Case, Settings], Iterator[Finding]]


def read(case: Case, _: Settings) -> Iterator[Finding]:
    """The request is read, or refused where its provider refused it too; and the reply is a whole one, or says what it is."""
    failed = case.row.status >= 400
    if case.request is None and not failed:
        yield Finding("read", False, f"request: {case.refused}")
    elif case.outcome.fault and not _broken(case):
        yield Finding("read", False, f"reply: {case.outcome.fault}")
    elif failed and case.outcome.ending != "error":
        yield Finding("read", False, f"an error was read as {case.outcome.ending!r}")
    else:
        yield Finding("read", True, case.outcome.ending)


def _broken(case: Case) -> bool:
    """By the plain reading too: it failed, or never said its end."""
    failed = any(one.get("error") or one.get("type") == "error" for one in case.said)
    return case.row.status >= 400 or failed or not plain.finished(case.row.dialect, case.said)


def request_rebuilt(case: Case, _: Settings) -> Iterator[Finding]:
    if case.request is not None:
        yield Finding("request_rebuilt", rebuilt.request(case), "")


def reply_rebuilt(case: Case, _: Settings) -> Iterator[Finding]:
    if case.said:
        yield Finding("reply_rebuilt", rebuilt.answer(case), "")


def cuts_equal(case: Case, settings: Settings) -> Iterator[Finding]:
    if case.row.streamed:
        yield Finding("cuts_equal", cuts.all_equal(case, settings.seed))


def broken_never_complete(case: Case, settings: Settings) -> Iterator[Finding]:
    if case.row.status == 200 and case.row.reply:
        yield Finding("broken_never_complete", cuts.never_complete(case, settings.seed))


def usage_right(case: Case, _: Settings) -> Iterator[Finding]:
    if case.row.status == 200:
        told, ours = plain.usage_of(case.row.dialect, case.said), case.outcome.usage
        if told or ours:
            yield Finding("usage_right", told == ours, "" if told == ours else f"{ours} is {told}")


def kept_though_never(case: Case, _: Settings) -> Iterator[Finding]:
    """What must never be kept by a second opinion is not; of all else it is reported how much is kept."""
    if case.request is None:
        return
    verdict = cacheable.verdict(case.request, _ROUTE, True)
    keep = cacheable.keep(case.request, case.outcome, verdict, _ROUTE, _SPEC, target_is_primary=True)
    why = never(case)
    if why:
        yield Finding("kept_though_never", not keep.kept, why)
    else:
        yield Finding("kept_if_allowed", keep.kept, "" if keep.kept else keep.reason)


def request_carried(case: Case, _: Settings) -> Iterator[Finding]:
    if case.request is not None:
        yield from _carried("request", carried.requests(case))


def reply_carried(case: Case, _: Settings) -> Iterator[Finding]:
    if case.row.status == 200 and case.outcome.ending not in _UNREAD:
        yield from _carried("reply", carried.replies(case))


def stream_carried(case: Case, _: Settings) -> Iterator[Finding]:
    if case.row.streamed and case.outcome.ending not in _UNREAD:
        yield from _carried("stream", carried.streams(case))


def _carried(what: str, found: Iterable[Carried]) -> Iterator[Finding]:
    """Whether it could be carried, and of what was, whether it came back as it went."""
    for one in found:
        yield Finding(f"{what}_into_{one.into}", not one.refused, one.refused or one.note)
        if not one.refused:
            yield Finding(f"{what}_equal_from_{one.into}", one.equal)


def priced(case: Case, settings: Settings) -> Iterator[Finding]:
    """Where a provider counts tokens: is it known what they cost?"""
    if case.request is None or not case.outcome.usage:
        return
    seller = _SELLERS.get(case.row.provider, case.row.provider)
    models = dict.fromkeys((case.request.model, case.outcome.served_by))
    price = next((found for model in models if (found := settings.book.price(seller, model, PRICED_AT_S))), None)
    yield Finding("priced", price is not None, "" if price else f"{seller}/{case.request.model}")


CHECKS: tuple[Check, ...] = (
    read, request_rebuilt, reply_rebuilt, cuts_equal, broken_never_complete, usage_right, kept_though_never,
    request_carried, reply_carried, stream_carried, priced,
)  # fmt: skip
