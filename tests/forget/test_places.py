"""Every place from which somebody can be forgotten, held to its contract; and what is particular to each."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from pennyworth.decide.forget import emptied
from pennyworth.ledgers.erasure import ReceiptsErased
from pennyworth.ledgers.folder import JournalFolder
from pennyworth.ledgers.journal import FileJournal, read_records
from pennyworth.ledgers.journal_erasure import JournalErased
from pennyworth.ledgers.lines import to_line
from pennyworth.ledgers.memory import MemoryLedger
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.outcome import Receipt
from pennyworth.ports import FirstResult, Forgets, Idempotency, Promise
from pennyworth.stores.aes import AesCover
from pennyworth.stores.cover import Cover, Marks
from pennyworth.stores.erasing import AnswersErased, SetAside
from pennyworth.stores.idempotency import MemoryIdempotency
from pennyworth.stores.idempotency_erasing import PromisesErased
from pennyworth.stores.idempotency_sqlite import SqliteIdempotency
from pennyworth.stores.memory import MemoryStore
from pennyworth.stores.sqlite import SqliteStore
from pennyworth.testing.contract_forgets import ALICE, RECORDS, SHOP, TEAM, WHO, ForgetsContract
from pennyworth.testing.contract_ledger import NOON_S, everything, hit, intent, paid
from pennyworth.testing.entries import NOW_S, kept
from pennyworth.view import Control
from pennyworth.whom import Whom

SECRET = b"a secret of thirty-two bytes....."


def entries() -> list:
    whose = [{"end_user": ALICE}, {"client": SHOP}, {"scope": TEAM}, {"client": "bob"}]
    return [
        kept(f"{place} {number}", 3_000 * number, **one) for number in range(RECORDS) for place, one in enumerate(whose)
    ]


def put_all(store: object) -> None:
    async def put() -> None:
        for entry in entries():
            await store.put(entry)
        await store.close()

    asyncio.run(put())


class TestMemoryStore(ForgetsContract):
    def fill(self, folder: Path) -> None:
        self.store = MemoryStore(100, 10**6)
        put_all(self.store)

    def make_place(self, folder: Path) -> Forgets:
        return getattr(self, "store", MemoryStore(100, 10**6))

    def everything(self, folder: Path) -> bytes:
        return repr(list(map(self.store._kept.peek, self.store._kept.keys()))).encode()


class TestAnswers(ForgetsContract):
    cover: Cover | None = None

    def fill(self, folder: Path) -> None:
        put_all(SqliteStore(folder / "answers.db", SECRET, 100, 10**7, cover=self.cover))

    def make_place(self, folder: Path) -> Forgets:
        return AnswersErased(folder / "answers.db", Marks(SECRET))


class TestEncryptedAnswers(TestAnswers):
    cover = AesCover(SECRET, Marks(SECRET))

    def test_their_bytes_are_gone_and_those_of_others_are_not(self, tmp_path: Path) -> None:
        pytest.skip("nothing of anybody stands there in clear: see test_encrypted_answers.py")


def records() -> list:
    whose = [{"end_user": ALICE}, {"client": SHOP}, {"scope": TEAM}]
    found: list = [hit("other"), paid("other too", client="bob")]
    for number in range(RECORDS):
        for place, one in enumerate(whose):
            make = hit if number else paid
            found.append(
                make(f"r{place}-{number}", NOON_S + number, tags=("canary-tag",), key="0123456789abcdef", **one)
            )
    return found


class TestMemoryLedger(ForgetsContract):
    def fill(self, folder: Path) -> None:
        self.ledger = MemoryLedger()
        self.ledger.fold(records())

    def make_place(self, folder: Path) -> Forgets:
        return getattr(self, "ledger", MemoryLedger())

    def everything(self, folder: Path) -> bytes:
        return repr((self.ledger._receipts, self.ledger._sums)).encode() + SHOP.encode() * (
            SHOP in repr(self.ledger._receipts)
        )


class TestReceipts(ForgetsContract):
    def fill(self, folder: Path) -> None:
        ledger = SqliteLedger(folder / "ledger.db")
        ledger.fold(records())
        ledger.close()

    def make_place(self, folder: Path) -> Forgets:
        return ReceiptsErased(folder / "ledger.db")


class TestJournal(ForgetsContract):
    """A living worker holds the segment all the while."""

    def fill(self, folder: Path) -> None:
        self.journal = FileJournal(folder / "journal", "w0")
        for record in records():
            self.journal.append(record)

    def make_place(self, folder: Path) -> Forgets:
        (folder / "elsewhere").mkdir()
        ledger = SqliteLedger(folder / "elsewhere" / "ledger.db")
        JournalFolder(folder / "journal", ledger, on_trouble=print).flush()
        return JournalErased(folder / "journal", ledger)

    def everything(self, folder: Path) -> bytes:
        return super().everything(folder / "journal")

    def test_what_a_worker_appends_meanwhile_and_afterwards_is_read_as_ever(self, tmp_path: Path) -> None:
        self.fill(tmp_path)
        ledger = SqliteLedger(tmp_path / "ledger.db")
        folder = JournalFolder(tmp_path / "journal", ledger, on_trouble=print)
        folder.flush()
        self.journal.append(hit("meanwhile", end_user=ALICE))
        assert JournalErased(tmp_path / "journal", ledger).forget(WHO[0]) == RECORDS, "only what is folded is touched"
        self.journal.append(hit("later"))
        folder.flush()
        assert [ledger.receipt(name) is not None for name in ("meanwhile", "later")] == [True, True]
        (path,) = (tmp_path / "journal").iterdir()
        found = read_records(path, 0)
        assert (len(found.records), found.damaged) == (len(records()) + 2, 0)
        assert JournalErased(tmp_path / "journal", ledger).forget(WHO[0]) == 1

    def test_the_intent_of_a_request_in_an_end_users_own_scope_goes_with_its_receipt(self, tmp_path: Path) -> None:
        self.journal = FileJournal(tmp_path / "journal", "w0")
        own = {"scope": "user:app:0123canary", "client": "app"}
        self.journal.append(msgspec.structs.replace(intent("r1"), **own))
        self.journal.append(paid("r1", end_user=ALICE, **own))
        self.journal.append(msgspec.structs.replace(intent("r2"), scope="user:app:others", client="app"))
        place = self.make_place(tmp_path)
        assert (place.count(WHO[0]), place.forget(WHO[0]), place.forget(WHO[0])) == (2, 2, 0)
        assert b"0123canary" not in self.everything(tmp_path)
        assert b"user:app:others" in self.everything(tmp_path)

    def test_lines_that_nobody_can_read_are_blanked_in_files_kept_for_their_damage(self, tmp_path: Path) -> None:
        (tmp_path / "journal").mkdir()
        line = msgspec.json.encode(hit("whole", end_user=ALICE))
        cut = line.replace(b"whole", b"a-cut")[:60]
        path = tmp_path / "journal" / "w0-1-000000.damaged"
        path.write_bytes(cut + b"\n" + line + b"\n" + msgspec.json.encode(hit("bob")) + b"\n" + b"no break at the end")
        size = path.stat().st_size
        place = JournalErased(tmp_path / "journal", SqliteLedger(tmp_path / "ledger.db"))
        assert place.forget(WHO[0]) == 3
        assert (path.stat().st_size, place.count(WHO[0])) == (size, 0)
        assert [record.id for record in read_records(path, 0).records] == ["whole", "bob"]
        assert cut not in path.read_bytes()
        assert b"no break" not in path.read_bytes()


@pytest.mark.parametrize("whom", WHO, ids=lambda whom: whom.by)
def test_the_books_balance_as_before_and_their_names_are_in_no_group(tmp_path: Path, whom: Whom) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.fold(records())
    before = everything(ledger)
    names = set(ledger.totals(0, float("inf"), "scope"))
    ReceiptsErased(tmp_path / "ledger.db").forget(whom)
    assert everything(ledger) == before
    assert ledger.totals(NOON_S + 1, NOON_S + 1e6)[""].requests == len([r for r in records() if r.at_s > NOON_S])
    groups = ledger.totals(0, float("inf"), "scope")
    assert set(groups) == (names - {TEAM} | {""} if whom.by == "scope" else names)
    assert sum(total.spent.pico for total in groups.values()) == before.spent.pico
    assert [r for r in ledger.receipts(100) if whom.made(r)] == []
    ledger.close()


def test_of_an_emptied_receipt_the_money_is_left_and_nothing_that_leads_to_anybody(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    receipt = paid("r1", end_user=ALICE, tags=("t",), key="k" * 16, answer="a1", notes=("store: slow",))
    note = msgspec.structs.replace(receipt.attempts[0], provider_request_id="req-1")
    ledger.fold([msgspec.structs.replace(receipt, attempts=(note,))])
    ReceiptsErased(tmp_path / "ledger.db").forget(WHO[0])
    assert ledger.receipt("r1") == paid("r1", notes=("store: slow",))
    ledger.close()


def test_a_worker_that_remembers_the_facets_of_a_forgotten_scope_books_on_into_the_right_one(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.fold([paid("before", scope=TEAM), paid("bob")])
    ReceiptsErased(tmp_path / "ledger.db").forget(Whom(by="scope", value=TEAM))
    ledger.fold([paid("after", scope=TEAM), paid("again", scope=TEAM, model="large")])
    groups = {name: total.requests for name, total in ledger.totals(0, float("inf"), "scope").items()}
    assert groups == {"": 1, "team-a": 1, TEAM: 2}
    assert {r.id for r in ledger.receipts(9, where={"scope": TEAM})} == {"again", "after"}
    ledger.close()


def test_what_was_asked_after_the_moment_is_theirs_again(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.fold([paid("before", end_user=ALICE), paid("after", NOON_S + 10, end_user=ALICE)])
    assert ReceiptsErased(tmp_path / "ledger.db").forget(Whom(by="user", value=ALICE, until_s=NOON_S + 5)) == 1
    assert [r.end_user for r in ledger.receipts(9)] == [ALICE, ""]
    ledger.close()


def test_open_intents_of_a_forgotten_key_lose_its_name(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.fold([msgspec.structs.replace(intent("open"), client=SHOP)])
    assert ReceiptsErased(tmp_path / "ledger.db").forget(WHO[1]) == 1
    ledger.close()
    assert SHOP.encode() not in (tmp_path / "ledger.db").read_bytes()


def test_damaged_files_that_were_set_aside_go_altogether(tmp_path: Path) -> None:
    for name in ("answers.db", "answers.db.corrupt-20261128T010203", "answers.db.corrupt-20261128T010203-wal"):
        (tmp_path / name).write_bytes(b"x")
    place = SetAside(tmp_path / "answers.db")
    assert (place.count(WHO[0]), place.forget(WHO[0]), place.forget(WHO[0])) == (2, 2, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["answers.db"]


def test_answers_removed_earlier_have_left_nothing_in_free_pages(tmp_path: Path) -> None:
    """Evicted or expired long before anybody asks to be forgotten."""

    async def run() -> None:
        store = SqliteStore(tmp_path / "answers.db", SECRET, 100, 10**7)
        for number in range(20):
            await store.put(kept(f"canary-{number}", 5_000, end_user=ALICE, expires_s=NOW_S - 1))
        await store.sweep(Control(), NOW_S)
        await store.close()

    asyncio.run(run())
    assert AnswersErased(tmp_path / "answers.db", Marks(SECRET)).forget(WHO[0]) == 0
    assert b"canary-" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_lines_only_get_shorter() -> None:
    """Else a journal could not be emptied in place."""
    for record in [*records(), msgspec.structs.replace(intent("i"), client=SHOP, scope=TEAM)]:
        for whom in WHO:
            assert len(to_line(emptied(record, whom))) <= len(to_line(record))
            assert isinstance(record, Receipt) is isinstance(emptied(record, whom), Receipt)


class TestPromises(ForgetsContract):
    def fill(self, folder: Path) -> None:
        book = SqliteIdempotency(folder / "idempotency.db", SECRET)
        fill_promises(book)
        book.close()

    def make_place(self, folder: Path) -> Forgets:
        return PromisesErased(folder / "idempotency.db", Marks(SECRET))

    def test_what_was_promised_is_not_made_a_second_time(self, tmp_path: Path) -> None:
        self.fill(tmp_path)
        self.make_place(tmp_path).forget(WHO[0])
        book = SqliteIdempotency(tmp_path / "idempotency.db", SECRET)
        states = [book.begin(one, 1.0).state for one in promises()]
        book.close()
        assert states == ["not_kept"] * RECORDS + ["done"] * (3 * RECORDS)

    def test_the_result_of_a_request_under_way_is_not_written_down_afterwards(self, tmp_path: Path) -> None:
        book = SqliteIdempotency(tmp_path / "idempotency.db", SECRET)
        finish_after(book, self.make_place(tmp_path))
        book.close()


class TestEncryptedPromises(ForgetsContract):
    """Nothing of anybody stands there in clear, so there is nothing to look for; but all of theirs is found."""

    def fill(self, folder: Path) -> None:
        book = SqliteIdempotency(folder / "idempotency.db", SECRET, cover=AesCover(SECRET, Marks(SECRET)))
        fill_promises(book)
        assert [book.begin(one, 1.0).state for one in promises()] == ["done"] * (4 * RECORDS)
        book.close()
        assert not any(name.encode() in self.everything(folder) for name in (ALICE, SHOP, TEAM))

    def make_place(self, folder: Path) -> Forgets:
        return PromisesErased(folder / "idempotency.db", Marks(SECRET))

    @pytest.mark.parametrize("place", range(3))
    def test_their_bytes_are_gone_and_those_of_others_are_not(self, tmp_path: Path, place: int) -> None:
        self.fill(tmp_path)
        self.make_place(tmp_path).forget(WHO[place])
        book = SqliteIdempotency(tmp_path / "idempotency.db", SECRET, cover=AesCover(SECRET, Marks(SECRET)))
        states = [book.begin(one, 1.0).state for one in promises()]
        book.close()
        assert states == ["not_kept" if number // RECORDS == place else "done" for number in range(4 * RECORDS)]


class TestMemoryPromises(ForgetsContract):
    def fill(self, folder: Path) -> None:
        self.book = MemoryIdempotency()
        fill_promises(self.book)

    def make_place(self, folder: Path) -> Forgets:
        return getattr(self, "book", MemoryIdempotency())

    def everything(self, folder: Path) -> bytes:
        return repr([(row.promise, row.result) for row in self.book._rows.values()]).encode()

    def test_the_result_of_a_request_under_way_is_not_written_down_afterwards(self) -> None:
        book = MemoryIdempotency()
        finish_after(book, book)


def finish_after(book: Idempotency, place: Forgets) -> None:
    """A request whose caller is forgotten while it is made."""
    promise = promises()[0]
    book.begin(promise, 0.0)
    assert place.forget(WHO[0]) == 1
    book.finish(promise.key, FirstResult(200, "application/json", b"the reply", "r-1", "openai/m"))
    assert book.begin(promise, 1.0).state == "not_kept"


def promises() -> list[Promise]:
    """Of Alice, of the shop's key, of the team's scope, and of others."""
    whose = [{"end_user": ALICE}, {"client": SHOP}, {"scope": TEAM}, {"scope": "others"}]
    return [
        Promise(key=bytes([place, number]) * 16, seal=b"s" * 32, until_s=1e12, **names)
        for place, names in enumerate(whose)
        for number in range(RECORDS)
    ]


def fill_promises(book: Idempotency) -> None:
    for one in promises():
        book.begin(one, 0.0)
        book.finish(
            one.key, FirstResult(200, "application/json", f"{one.end_user}{one.client}".encode(), "r-1", "openai/m")
        )
