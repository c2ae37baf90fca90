"""The contract of ``Idempotency`` as tests.

class TestMine(IdempotencyContract):
    def make_book(self, folder, **limits):
        return MyIdempotency(folder / "once", **limits)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pennyworth.errors import StoreError
from pennyworth.ports import FirstResult, Found, Idempotency, Promise

NOW = 1_790_000_000.0
RESULT = FirstResult(200, "application/json", b'{"id": "\xc3\xa9\\u0000"}', "r-1", "openai/gpt-4o-mini")


def promise(key: bytes = b"k" * 32, **more: Any) -> Promise:
    return msgspec.structs.replace(Promise(key=key, seal=b"s" * 32, until_s=NOW + 100.0), **more)


class IdempotencyContract:
    """What every ``Idempotency`` does. ``make_book`` is the one method a backend must give."""

    def make_book(self, folder: Path, **limits: int) -> Idempotency:
        """Called again with the same folder, it is the book as another process has it, if the backend shares it
        (``shares``). ``limits``: ``most`` promises, ``most_bytes`` of results."""
        raise NotImplementedError

    shares = True

    def break_book(self, folder: Path) -> Idempotency | None:
        """One whose backend is broken, or ``None`` if this kind cannot break."""
        return None

    def spoil_results(self, folder: Path) -> bool:
        """Changes a bit of every result behind the book's back; whether that can be done."""
        return False

    @pytest.fixture
    def book(self, tmp_path: Path) -> Iterator[Idempotency]:
        made = self.make_book(tmp_path)
        yield made
        made.close()

    def test_the_first_begins_and_its_result_is_given_again_byte_for_byte(self, book: Idempotency) -> None:
        assert book.begin(promise(), NOW) == Found("begun")
        book.finish(promise().key, RESULT)
        assert [book.begin(promise(), NOW + 99.0) for _ in range(2)] == [Found("done", RESULT)] * 2

    def test_another_body_is_told_apart_whatever_became_of_the_first(self, book: Idempotency) -> None:
        other = promise(seal=b"t" * 32)
        book.begin(promise(), NOW)
        assert book.begin(other, NOW) == Found("other")
        book.finish(promise().key, RESULT)
        assert book.begin(other, NOW) == Found("other")

    def test_what_its_own_process_has_begun_and_forgotten_is_unknown(self, book: Idempotency) -> None:
        book.begin(promise(), NOW)
        assert book.begin(promise(), NOW) == Found("unknown")

    def test_a_promise_that_is_dropped_is_free_again_and_a_finished_one_cannot_be(self, book: Idempotency) -> None:
        book.begin(promise(), NOW)
        book.drop(promise().key)
        assert book.begin(promise(seal=b"t" * 32), NOW) == Found("begun")
        book.finish(promise().key, RESULT)
        book.drop(promise().key)
        book.finish(promise().key, None)
        assert book.begin(promise(seal=b"t" * 32), NOW) == Found("done", RESULT)

    def test_what_was_never_begun_can_neither_be_finished_nor_dropped(self, book: Idempotency) -> None:
        book.finish(promise().key, RESULT)
        book.drop(promise().key)
        assert book.begin(promise(), NOW) == Found("begun")

    def test_a_result_that_is_not_kept_is_not_made_again(self, book: Idempotency) -> None:
        book.begin(promise(), NOW)
        book.finish(promise().key, None)
        assert book.begin(promise(), NOW) == Found("not_kept")

    @pytest.mark.parametrize("finished", [False, True])
    def test_past_its_time_it_is_as_if_it_had_never_been(self, book: Idempotency, finished: bool) -> None:
        book.begin(promise(), NOW)
        if finished:
            book.finish(promise().key, RESULT)
        assert book.begin(promise(seal=b"t" * 32, until_s=NOW + 300.0), NOW + 100.0) == Found("begun")
        assert book.begin(promise(), NOW + 101.0) == Found("other")

    def test_an_empty_result_and_a_binary_key_come_back(self, book: Idempotency) -> None:
        key, empty = bytes(range(32)), FirstResult(500, "", b"", "", "")
        book.begin(promise(key), NOW)
        book.finish(key, empty)
        assert book.begin(promise(key), NOW) == Found("done", empty)

    def test_past_its_bytes_the_oldest_results_go_and_their_promises_stay(self, tmp_path: Path) -> None:
        book = self.make_book(tmp_path, most_bytes=10_000)
        keys = [bytes([number]) * 32 for number in range(20)]
        for key in keys:
            assert book.begin(promise(key), NOW).state == "begun"
            book.finish(key, msgspec.structs.replace(RESULT, body=bytes(1000)))
        states = [book.begin(promise(key), NOW).state for key in keys]
        kept = states.count("done")
        assert 5 <= kept <= 10
        assert states == ["not_kept"] * (20 - kept) + ["done"] * kept
        book.close()

    def test_past_its_number_the_oldest_finished_go_and_none_that_is_under_way(self, tmp_path: Path) -> None:
        book = self.make_book(tmp_path, most=10)
        keys = [bytes([number]) * 32 for number in range(60)]
        for number, key in enumerate(keys):
            assert book.begin(promise(key), NOW).state == "begun"
            if number:
                book.finish(key, RESULT)
        assert book.begin(promise(keys[0]), NOW).state == "unknown"
        assert book.begin(promise(keys[-1]), NOW).state == "done"
        assert book.begin(promise(keys[1]), NOW).state == "begun"
        book.close()

    def test_of_many_who_begin_at_once_one_begins(self, tmp_path: Path) -> None:
        books = [self.make_book(tmp_path) for _ in range(3)] if self.shares else [self.make_book(tmp_path)]
        with ThreadPoolExecutor(len(books)) as threads:
            for number in range(30):
                key = bytes([number]) * 32
                found = list(threads.map(lambda book, key=key: book.begin(promise(key), NOW).state, books))
                assert found.count("begun") == 1
                assert set(found) <= {"begun", "running"}
        for book in books:
            book.close()

    def test_another_process_sees_what_lives_what_has_died_and_what_is_done(self, tmp_path: Path) -> None:
        if not self.shares:
            pytest.skip("this book is not shared")
        one, other = self.make_book(tmp_path), self.make_book(tmp_path)
        done, left = promise(b"d" * 32), promise(b"l" * 32)
        for each in (done, left):
            one.begin(each, NOW)
            assert other.begin(each, NOW) == Found("running")
        other.finish(left.key, RESULT)
        other.drop(left.key)  # neither is its own
        assert other.begin(left, NOW) == Found("running")
        one.finish(done.key, RESULT)
        one.close()
        later = self.make_book(tmp_path)
        for book in (other, later):
            assert book.begin(done, NOW) == Found("done", RESULT)
            assert book.begin(left, NOW) == Found("unknown")
            book.close()

    def test_a_result_that_was_changed_is_not_given(self, tmp_path: Path) -> None:
        book = self.make_book(tmp_path)
        book.begin(promise(), NOW)
        book.finish(promise().key, RESULT)
        if not self.spoil_results(tmp_path):
            book.close()
            pytest.skip("nobody can change it")
        assert book.begin(promise(), NOW) == Found("not_kept")
        book.close()

    def test_a_broken_backend_raises_a_store_error(self, tmp_path: Path) -> None:
        book = self.break_book(tmp_path)
        if book is None:
            pytest.skip("this book cannot break")
        calls: tuple[Callable[[], object], ...] = (
            lambda: book.begin(promise(), NOW),
            lambda: book.finish(promise().key, RESULT),
            lambda: book.drop(promise().key),
        )
        for call in calls:
            with pytest.raises(StoreError):
                call()
        book.close()
