"""The journal on disk: full disks, torn lines, rotation, and telling the living from the dead."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ledger_disk import room_for

from pennyworth.errors import StoreError
from pennyworth.ledgers.journal import FileJournal, read_records
from pennyworth.ledgers.lines import to_line
from pennyworth.ledgers.segments import Segment, create_locked, sealed, segment_of, segments_in
from pennyworth.money import Money, Usage
from pennyworth.testing.contract_ledger import hit, intent, paid


def only_segment(folder: Path) -> Path:
    (segment,) = segments_in(folder)
    return folder / segment.name


def test_a_full_disk_is_a_store_error_and_the_journal_works_again_when_there_is_room(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "w0")
    journal.append(paid("r1"))
    size = only_segment(tmp_path).stat().st_size
    with room_for(size + 100):
        with pytest.raises(StoreError, match="only 100 of"):
            journal.append(paid("torn"))
        with pytest.raises(StoreError, match="File too large"):
            journal.append(paid("refused"))
    journal.append(paid("r2"))
    journal.append(paid("r3"))
    reading = read_records(only_segment(tmp_path), 0)
    assert [record.id for record in reading.records] == ["r1", "r2", "r3"]
    assert reading.damaged == 1


def test_a_line_break_that_alone_still_fitted_does_not_hide_the_next_record(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "w0")
    with room_for(100), pytest.raises(StoreError):
        journal.append(paid("torn"))
    with room_for(101), pytest.raises(StoreError, match="only 1 of"):
        journal.append(paid("refused"))
    journal.append(paid("r1"))
    reading = read_records(only_segment(tmp_path), 0)
    assert ([record.id for record in reading.records], reading.damaged) == (["r1"], 1)


@pytest.mark.parametrize("with_its_folder", [False, True])
def test_a_segment_that_somebody_deletes_is_told_once_and_left_for_another(
    tmp_path: Path, with_its_folder: bool
) -> None:
    """Its descriptor takes every write all the same, into a file that nobody can read."""
    folder = tmp_path / "journal"
    journal = FileJournal(folder, "w0")
    journal.append(paid("lost"))
    only_segment(folder).unlink()
    if with_its_folder:
        folder.rmdir()
    time.sleep(0.25)  # it looks five times a second at most
    with pytest.raises(StoreError, match="deleted while in use"):
        journal.append(paid("r1"))
    journal.append(paid("r2"))
    assert [record.id for record in read_records(only_segment(folder), 0).records] == ["r1", "r2"]


def test_a_closed_journal_refuses(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "w0", rotate_bytes=0)
    journal.close()
    with pytest.raises(StoreError):
        journal.append(paid("r1"))
    assert len(segments_in(tmp_path)) == 1


def test_a_folder_that_cannot_be_written_is_a_store_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        FileJournal(tmp_path / "file", "w0")


def test_a_worker_name_that_is_no_file_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a/b"):
        FileJournal(tmp_path, "a/b")


def test_segments_are_rotated_and_read_in_the_order_of_writing(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "w-0", rotate_bytes=1500)
    written = [paid(f"r{i}") for i in range(12)]
    for receipt in written:
        journal.append(receipt)
    segments = segments_in(tmp_path)
    assert len(segments) > 2
    assert {segment.owner for segment in segments} == {journal.owner}
    assert {segment.worker for segment in segments} == {"w-0"}
    assert [record for s in segments for record in read_records(tmp_path / s.name, 0).records] == written


def test_a_rotation_that_fails_goes_on_in_the_old_segment(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal = FileJournal(folder, "w0", rotate_bytes=1)
    journal.append(paid("r1"))
    segment = only_segment(folder)
    moved = tmp_path / "moved"
    folder.rename(moved)
    journal.append(paid("r2"))
    assert [record.id for record in read_records(moved / segment.name, 0).records] == ["r1", "r2"]


def test_only_the_segment_being_written_is_held(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "w0", rotate_bytes=1)
    journal.append(paid("r1"))
    journal.append(paid("r2"))
    states = []
    for segment in segments_in(tmp_path):
        with sealed(tmp_path / segment.name) as mine:
            states.append(mine)
    assert states == [True, False]
    journal.close()
    with sealed(only_or_last(tmp_path)) as mine:
        assert mine
    with sealed(tmp_path / "never-1-000000.jsonl") as mine:
        assert not mine


def only_or_last(folder: Path) -> Path:
    return folder / segments_in(folder)[-1].name


def test_a_name_says_whose_segment_it_is_and_other_files_are_none() -> None:
    assert segment_of("w-0-1700-000003.jsonl") == Segment("w-0-1700", 3)
    assert segment_of(Segment("w-0-1700", 3).name) == Segment("w-0-1700", 3)
    for other in ("ledger.sqlite", "w0-17.jsonl", "-1700-000003.jsonl", "w0-x-000003.jsonl", "w0-1700-000003.damaged"):
        assert segment_of(other) is None


def test_reading_goes_on_where_it_stopped_and_leaves_a_line_still_being_written(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first, second = to_line(intent("r1")) + b"\n", to_line(paid("r1")) + b"\n"
    path.write_bytes(first + second[:50])
    reading = read_records(path, 0)
    assert (reading.records, reading.next_offset, reading.damaged) == ([intent("r1")], len(first), 0)
    assert read_records(path, len(first)).next_offset == len(first)
    path.write_bytes(first + second)
    reading = read_records(path, len(first))
    assert (reading.records, reading.next_offset) == ([paid("r1")], len(first + second))


def test_the_last_line_of_an_ended_segment_counts_if_it_is_whole_and_is_no_damage_if_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    line = to_line(paid("r1"))
    path.write_bytes(line + b"\n" + line)
    assert len(read_records(path, 0, ended=True).records) == 2
    path.write_bytes(line + b"\n" + line[:-1])
    reading = read_records(path, 0, ended=True)
    assert (len(reading.records), reading.damaged, reading.next_offset) == (1, 0, 2 * len(line))


def test_damaged_lines_in_the_middle_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "s"
    good = to_line(paid("r1"))
    deep = good[:-1] + b',"more":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    bad = [good[:40], b"\xff\xfe", b"[]", b'{"type":"receipt"}', b"[" * 100_000, deep, bytes(range(11, 256))]
    path.write_bytes(b"\n".join([*bad, good, b""]))
    reading = read_records(path, 0)
    assert ([record.id for record in reading.records], reading.damaged) == (["r1"], len(bad))


def test_numbers_no_ledger_can_sum_are_damage_not_a_standstill(tmp_path: Path) -> None:
    path = tmp_path / "s"
    odd = [
        paid("tokens", usage=Usage(input=10**30)),
        paid("money", spent=Money(-(10**40))),
        hit("saved", saved={"exact": Money(10**40)}),
        paid("past", at_s=-1.0),
        paid("future", at_s=1e300),
        intent("estimate", pico=10**40),
    ]
    path.write_bytes(b"".join(to_line(record) + b"\n" for record in [*odd, paid("r1")]))
    reading = read_records(path, 0)
    assert ([record.id for record in reading.records], reading.damaged) == (["r1"], len(odd))


@pytest.mark.parametrize("limit", [1, 100, 2000, 10**6])
@pytest.mark.parametrize("ended", [False, True])
def test_any_reading_size_reads_the_same(tmp_path: Path, limit: int, ended: bool) -> None:
    path = tmp_path / "s"
    written = [paid(f"r{i}") for i in range(20)]
    path.write_bytes(b"".join(to_line(record) + b"\n" for record in written))
    found, offset = [], 0
    while True:
        reading = read_records(path, offset, limit=limit, ended=ended)
        if reading.next_offset == offset:
            break
        found += reading.records
        offset = reading.next_offset
    assert found == written
    assert offset == path.stat().st_size


REMOVE_WHAT_NOBODY_HOLDS = """
import sys
from pathlib import Path
from pennyworth.ledgers.segments import sealed, segments_in
folder = Path(sys.argv[1])
print("ready", flush=True)
while not (folder / "stop").exists():
    for segment in segments_in(folder):
        with sealed(folder / segment.name) as mine:
            if mine:
                (folder / segment.name).unlink()
"""


def test_a_segment_removed_by_an_adopter_while_it_was_being_made_is_made_again(tmp_path: Path) -> None:
    command = [sys.executable, "-c", REMOVE_WHAT_NOBODY_HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as adopter:
        adopter.stdout.readline()
        held, removed = Segment("w0-1", 0), 0
        for _ in range(1000):
            fd, held = create_locked(tmp_path, Segment(held.owner, held.seq + 1))
            removed += os.fstat(fd).st_nlink == 0
            os.close(fd)
        (tmp_path / "stop").touch()
    assert (removed, adopter.returncode) == (0, 0)
