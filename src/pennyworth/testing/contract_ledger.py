"""The contracts of ``Ledger`` and ``Journal`` as tests. A backend's own test file subclasses them and says how to make one.

    class TestMyLedger(LedgerContract):
        def make_ledger(self, folder):
            return MyLedger(folder)

Money in these tests is far from floats' reach, and one sum is past the 64-bit limit of picodollars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pennyworth.money import Money, Usage
from pennyworth.outcome import AttemptNote, Intent, Receipt, Totals
from pennyworth.ports import Group, Journal, Ledger

HOUR_S = 3600.0
NOON_S = 1_795_348_800.0
"""2026-11-22 12:00 UTC."""


def paid(receipt_id: str, at_s: float = NOON_S, pico: int = 1_000_000_000_001, **changes: object) -> Receipt:
    """A request that a provider answered, for ``pico`` picodollars."""
    note = AttemptNote(target="openai/small", status=200, ending="complete", spent=Money(pico), basis="metered")
    asked = Receipt(
        id=receipt_id,
        at_s=at_s,
        scope="team-a",
        model="small",
        route="default",
        served="upstream",
        ending="complete",
        status=200,
        attempts=(note,),
        usage=Usage(input=100, output=20, cached=30),
        spent=Money(pico),
        basis="metered",
        would_have_cost=Money(pico),
        would_basis="metered",
    )
    return _changed(asked, **changes)


def hit(receipt_id: str, at_s: float = NOON_S, pico: int = 1_000_000_000_001, **changes: object) -> Receipt:
    """A request answered from the cache, which saved ``pico`` picodollars."""
    given = Receipt(
        id=receipt_id,
        at_s=at_s,
        scope="team-a",
        model="small",
        route="default",
        served="exact",
        ending="complete",
        status=200,
        usage=Usage(input=100, output=20),
        would_have_cost=Money(pico),
        would_basis="metered",
        saved={"exact": Money(pico)},
    )
    return _changed(given, **changes)


def intent(record_id: str, at_s: float = NOON_S, pico: int = 7) -> Intent:
    return Intent(id=record_id, at_s=at_s, scope="team-a", model="small", target="openai/small", estimate=Money(pico))


def _changed(receipt: Receipt, **changes: object) -> Receipt:
    fields = {name: getattr(receipt, name) for name in receipt.__struct_fields__}
    return Receipt(**(fields | changes))


def everything(ledger: Ledger) -> Totals:
    return ledger.totals(0, float("inf"))[""]


class LedgerContract:
    """What every ledger keeps. A subclass makes an empty one in a folder of its own."""

    def make_ledger(self, folder: Path) -> Ledger:
        raise NotImplementedError

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Ledger]:
        ledger = self.make_ledger(tmp_path)
        yield ledger
        ledger.close()

    def test_an_empty_ledger_has_one_row_of_zeros_and_no_groups(self, ledger: Ledger) -> None:
        assert ledger.totals(0, float("inf")) == {"": Totals()}
        assert ledger.totals(0, float("inf"), "model") == {}
        assert list(ledger.receipts(10)) == []
        assert ledger.receipt("r1") is None

    def test_totals_add_up_what_the_receipts_say(self, ledger: Ledger) -> None:
        assert ledger.fold([paid("r1"), hit("r2")]) == 2
        assert everything(ledger) == Totals(
            requests=2,
            served={"upstream": 1, "exact": 1},
            endings={"complete": 2},
            upstream_calls=1,
            input_tokens=200,
            output_tokens=40,
            cached_tokens=30,
            spent=Money(1_000_000_000_001),
            would_have_cost=Money(2_000_000_000_002),
            saved={"exact": Money(1_000_000_000_001)},
        )

    def test_the_same_records_again_change_nothing(self, ledger: Ledger) -> None:
        records: list[Intent | Receipt] = [intent("r1"), paid("r1"), hit("r2"), hit("r2")]
        ledger.fold(records)
        before = everything(ledger)
        assert ledger.fold(records) == 0
        assert ledger.fold(reversed(records)) == 0
        assert everything(ledger) == before
        assert before.requests == 2

    def test_an_intent_alone_counts_nothing_and_is_no_receipt(self, ledger: Ledger) -> None:
        assert ledger.fold([intent("r1")]) == 0
        assert everything(ledger) == Totals()
        assert ledger.receipt("r1") is None

    def test_a_receipt_wins_over_its_intent_in_either_order(self, ledger: Ledger) -> None:
        ledger.fold([intent("before")])
        ledger.fold([paid("before"), paid("after")])
        ledger.fold([intent("after")])
        assert everything(ledger).requests == 2
        assert ledger.receipt("before") == paid("before")
        assert ledger.receipt("after") == paid("after")

    def test_a_receipt_comes_back_as_it_was_booked(self, ledger: Ledger) -> None:
        receipt = paid("r1", notes=("store: slow, skipped",), tags=("x", "é中"), own=Money(3), end_user="ab" * 8)
        ledger.fold([receipt])
        assert ledger.receipt("r1") == receipt
        assert list(ledger.receipts(1)) == [receipt]

    def test_sums_beyond_64_bits_are_exact(self, ledger: Ledger) -> None:
        nine_million = 9 * 10**18 + 1
        ledger.fold(paid(f"p{i}", pico=nine_million) for i in range(3))
        ledger.fold(hit(f"h{i}", pico=nine_million) for i in range(3))
        total = everything(ledger)
        assert total.spent == Money(3 * nine_million)
        assert total.saved == {"exact": Money(3 * nine_million)}
        assert total.would_have_cost == Money(6 * nine_million)

    def test_a_layer_may_cost_more_than_it_saves(self, ledger: Ledger) -> None:
        ledger.fold([paid("r1", pico=10, saved={"routing": Money(-4)}, would_have_cost=Money(6), own=Money(1))])
        ledger.fold([paid("r2", pico=10, saved={"routing": Money(1)}, would_have_cost=Money(11))])
        total = everything(ledger)
        assert (total.spent, total.saved, total.would_have_cost) == (Money(20), {"routing": Money(-3)}, Money(17))
        assert total.own == Money(1)

    def test_a_window_holds_its_beginning_and_not_its_end(self, ledger: Ledger) -> None:
        ledger.fold(
            paid(f"r{at}", at_s=at) for at in (NOON_S - 0.001, NOON_S, NOON_S + HOUR_S, NOON_S + HOUR_S + 0.001)
        )
        assert ledger.totals(NOON_S, NOON_S + HOUR_S)[""].requests == 1
        assert ledger.totals(NOON_S - 1, NOON_S + HOUR_S + 0.001)[""].requests == 3
        assert ledger.totals(NOON_S, NOON_S)[""].requests == 0
        assert ledger.totals(NOON_S + HOUR_S, NOON_S)[""].requests == 0

    def test_a_window_within_an_hour_or_across_hours_counts_what_lies_in_it(self, ledger: Ledger) -> None:
        every_ten_minutes = [NOON_S + 600 * i for i in range(24)]
        ledger.fold(paid(f"r{at}", at_s=at) for at in every_ten_minutes)
        for since, until in ((300, 2000), (300, 7500), (0, 14_400), (3600, 7200), (3599, 7201), (-5, 99_999)):
            inside = [at for at in every_ten_minutes if NOON_S + since <= at < NOON_S + until]
            assert ledger.totals(NOON_S + since, NOON_S + until)[""].requests == len(inside)

    def test_totals_group_by_each_column(self, ledger: Ledger) -> None:
        ledger.fold(
            [paid("r1"), paid("r2", model="large", scope="team-b", route="vip", client="bob", team="b"), hit("r3")]
        )
        spread: dict[Group, dict[str, int]] = {
            "model": {"small": 2, "large": 1},
            "scope": {"team-a": 2, "team-b": 1},
            "route": {"default": 2, "vip": 1},
            "served": {"upstream": 2, "exact": 1},
            "client": {"": 2, "bob": 1},
            "team": {"": 2, "b": 1},
        }
        for by, expected in spread.items():
            groups = ledger.totals(0, float("inf"), by)
            assert {key: total.requests for key, total in groups.items()} == expected
        assert ledger.totals(0, float("inf"), "served")["exact"].saved == {"exact": Money(1_000_000_000_001)}

    def test_totals_group_by_hours_and_days_of_utc(self, ledger: Ledger) -> None:
        ledger.fold([paid("r1"), paid("r2", at_s=NOON_S + HOUR_S - 0.5), paid("r3", at_s=NOON_S + 12 * HOUR_S)])
        hours = ledger.totals(0, float("inf"), "hour")
        assert {key: total.requests for key, total in hours.items()} == {"2026-11-22T12:00Z": 2, "2026-11-23T00:00Z": 1}
        cut = ledger.totals(NOON_S + 1, NOON_S + 13 * HOUR_S, "day")
        assert {key: total.requests for key, total in cut.items()} == {"2026-11-22": 1, "2026-11-23": 1}

    def test_estimated_and_unpriced_requests_are_counted_apart(self, ledger: Ledger) -> None:
        ledger.fold([paid("r1", basis="estimated"), hit("r2", would_basis="estimated"), paid("r3")])
        ledger.fold([paid("r4", basis="unpriced", would_basis="unpriced")])
        assert (everything(ledger).estimated_requests, everything(ledger).unpriced_requests) == (2, 1)

    def test_late_work_adds_money_and_calls_but_is_no_request(self, ledger: Ledger) -> None:
        ledger.fold([paid("r1", pico=10)])
        late = paid("r2", pico=4, parent="r1", saved={"own": Money(-4)}, would_have_cost=Money(0), own=Money(4))
        assert ledger.fold([late]) == 1
        total = everything(ledger)
        assert (total.spent, total.would_have_cost, total.own) == (Money(14), Money(10), Money(4))
        assert (total.requests, total.served, total.endings) == (1, {"upstream": 1}, {"complete": 1})
        assert total.upstream_calls == 2
        assert ledger.receipt("r2") == late

    def test_receipts_are_listed_newest_first_and_filtered(self, ledger: Ledger) -> None:
        ledger.fold(
            [
                paid("r1", at_s=NOON_S + 1),
                hit("r3", at_s=NOON_S + 3),
                paid(
                    "r2",
                    at_s=NOON_S + 2,
                    model="large",
                    scope="team-b",
                    route="vip",
                    ending="cut",
                    client="bob",
                    team="b",
                ),
            ]
        )

        def ids(found: Sequence[Receipt]) -> list[str]:
            return [receipt.id for receipt in found]

        assert ids(ledger.receipts(10)) == ["r3", "r2", "r1"]
        assert ids(ledger.receipts(2)) == ["r3", "r2"]
        assert ids(ledger.receipts(0)) == []
        assert ids(ledger.receipts(10, before_s=NOON_S + 3)) == ["r2", "r1"]
        assert ids(ledger.receipts(10, where={"model": "small"})) == ["r3", "r1"]
        assert ids(ledger.receipts(10, where={"model": "small", "served": "upstream"})) == ["r1"]
        for column, value in (
            ("scope", "team-b"),
            ("route", "vip"),
            ("ending", "cut"),
            ("model", "large"),
            ("client", "bob"),
            ("team", "b"),
        ):
            assert ids(ledger.receipts(10, where={column: value})) == ["r2"]
        assert ids(ledger.receipts(10, where={"model": "' OR 1 --"})) == []

    def test_a_filter_by_something_else_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(ValueError, match="status"):
            ledger.receipts(10, where={"status": "200"})


class JournalContract:
    """What every journal keeps. A subclass makes one in a folder, and reads back what is there to be found after a crash."""

    def make_journal(self, folder: Path) -> Journal:
        raise NotImplementedError

    def found_in(self, folder: Path) -> Sequence[Intent | Receipt]:
        raise NotImplementedError

    def test_what_append_returned_from_can_be_found_before_close(self, tmp_path: Path) -> None:
        journal = self.make_journal(tmp_path)
        journal.append(intent("r1"))
        assert list(self.found_in(tmp_path)) == [intent("r1")]
        journal.append(paid("r1"))
        assert list(self.found_in(tmp_path)) == [intent("r1"), paid("r1")]
        journal.close()
        assert list(self.found_in(tmp_path)) == [intent("r1"), paid("r1")]

    def test_any_text_can_be_booked(self, tmp_path: Path) -> None:
        journal = self.make_journal(tmp_path)
        texts = ("line\nbreak", "nul\0", "中文 đ é", '"quoted"\\', "\u2028")
        for text in texts:
            journal.append(paid(text, model=text))
        journal.append(paid("lone", model="\ud800"))
        models = [record.model for record in self.found_in(tmp_path)]
        assert models == [*texts, "?"]

    def test_numbers_that_json_cannot_say_do_not_cost_the_receipt(self, tmp_path: Path) -> None:
        journal = self.make_journal(tmp_path)
        journal.append(paid("r1", ttl_s=float("inf"), age_s=float("nan")))
        assert [record.id for record in self.found_in(tmp_path)] == ["r1"]

    def test_it_may_be_closed_twice(self, tmp_path: Path) -> None:
        journal = self.make_journal(tmp_path)
        journal.close()
        journal.close()
