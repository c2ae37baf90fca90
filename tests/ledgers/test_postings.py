"""What the fold reads of a line is what the whole record says, and no laxer about what a record is."""

import random

import msgspec
import pytest
from hypothesis import given
from test_ledger_properties import balanced_receipts

from pennyworth.ledgers.lines import DamagedLineError, from_line, from_lines, to_line
from pennyworth.ledgers.postings import Opening, Posting, posting
from pennyworth.ledgers.tally import Tally, facet_fields, facet_of
from pennyworth.money import Money, Usage
from pennyworth.outcome import Receipt
from pennyworth.testing.contract_ledger import hit, intent, paid


@given(balanced_receipts())
def test_a_line_adds_what_its_receipt_adds(receipt: Receipt) -> None:
    ((record, line),), damaged = from_lines(to_line(receipt) + b"\n")
    assert (line, damaged) == (to_line(receipt), 0)
    assert isinstance(record, Posting | Receipt)
    of_line, of_receipt = Tally(), Tally()
    of_line.add(record)
    of_receipt.add(receipt)
    assert of_line == of_receipt
    assert (record.id, record.at_s, facet_of(record)) == (receipt.id, receipt.at_s, facet_of(receipt))
    assert facet_fields(record) == facet_of(receipt)


def test_only_what_counts_is_read_where_nothing_is_odd() -> None:
    booked, damaged = from_lines(b"\n".join(map(to_line, (intent("r1"), paid("r1"), hit("r2")))))
    assert ([type(record) for record, _ in booked], damaged) == ([Opening, Posting, Posting], 0)


def test_a_line_that_is_odd_is_read_whole_and_costs_no_other_its_place() -> None:
    records = [paid("r1"), paid("large", spent=Money(2**70)), paid("null", ttl_s=float("inf")), hit("r2")]
    bad = [b"{", b"\xff", to_line(paid("r3", usage=Usage(input=2**60)))]
    booked, damaged = from_lines(b"\n".join([*map(to_line, records), b"", *bad]))
    assert ([record.id for record, _ in booked], damaged) == (["r1", "large", "null", "r2"], 3)
    assert [from_line(line).id for _, line in booked] == ["r1", "large", "null", "r2"]


@pytest.mark.parametrize("receipt", [paid("r1", reason="größe"), hit("r2", tags=("a", "b"))])
def test_what_random_bits_make_of_a_line_is_a_record_for_both_or_for_none(receipt: Receipt) -> None:
    sound, chance = to_line(receipt), random.Random(3)
    for _ in range(5_000):
        line = bytearray(sound)
        line[chance.randrange(len(line))] ^= 1 << chance.randrange(8)
        if line.count(b"\n"):
            continue
        assert len(from_lines(bytes(line))[0]) == is_record(bytes(line))


def is_record(line: bytes) -> bool:
    try:
        from_line(line)
    except DamagedLineError:
        return False
    return True


def test_a_posting_is_no_laxer_about_its_fields_than_the_record() -> None:
    for spoilt in (b'"served":"nowhere"', b'"status":"200"', b'"attempts":[{}]'):
        name = spoilt.partition(b":")[0]
        fields = msgspec.json.decode(to_line(paid("r1")))
        fields[name.strip(b'"').decode()] = msgspec.json.decode(spoilt.partition(b":")[2])
        line = msgspec.json.encode(fields)
        assert not is_record(line)
        with pytest.raises(msgspec.MsgspecError):
            posting(line)
