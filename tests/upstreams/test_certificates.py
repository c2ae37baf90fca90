"""Private authorities and client certificates, with real TLS servers. No connection serves two identities."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from pennyworth.plan import Road
from tests.upstreams.asking import ANSWER, Got, ask, call_to, upstream
from tests.upstreams.authority import Authority
from tests.upstreams.between import provider, refusing

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "authority")


@pytest.fixture(scope="module")
def pair(ca: Authority) -> tuple[Path, Path]:
    return ca.certify("provider")


@pytest.fixture(scope="module")
def ann(ca: Authority) -> tuple[Path, Path]:
    return ca.certify("ann")


def road(ca: Authority, mine: tuple[Path, Path] | None = None) -> Road:
    certificate, key = mine or ("", "")
    return Road(ca_file=str(ca.file), client_cert=str(certificate), client_key=str(key))


async def refusal(by: Road, url: str = "https://127.0.0.1:9/v1") -> Got:
    async with upstream() as asked:
        return await ask(asked, call_to(url, road=by))


async def test_an_authority_of_ones_own_is_trusted_by_the_provider_it_is_for_and_by_no_other(
    ca: Authority, pair: tuple[Path, Path]
):
    async with upstream() as asked, provider(pair) as at:
        assert (await ask(asked, call_to(at.url, road=road(ca)))).body == ANSWER
        got = await ask(asked, call_to(at.url))
        assert got.message == f"its TLS certificate was refused (providers.openai.base_url = {at.url})"
        assert len(at.seen) == 1, "the credential was not sent on the refused connection"


async def test_a_certificate_is_shown_to_who_asks_for_it(
    ca: Authority, pair: tuple[Path, Path], ann: tuple[Path, Path]
):
    async with upstream() as asked, provider(pair, wants=ca.file) as at:
        assert (await ask(asked, call_to(at.url, road=road(ca, ann)))).body == ANSWER
        assert at.seen == ["ann"]


async def test_certificate_and_key_may_be_one_file(ca: Authority, pair: tuple[Path, Path], tmp_path: Path):
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(part.read_bytes() for part in ca.certify("bob")))
    async with upstream() as asked, provider(pair, wants=ca.file) as at:
        by = Road(ca_file=str(ca.file), client_cert=str(both))
        assert (await ask(asked, call_to(at.url, road=by))).body == ANSWER
        assert at.seen == ["bob"]


@pytest.mark.parametrize(
    ("newest", "words"),
    [
        (ssl.TLSVersion.TLSv1_2, "it broke off the TLS handshake: it may ask for a client certificate"),
        (ssl.TLSVersion.TLSv1_3, "it asks for a client certificate and we have none"),
    ],
)
async def test_who_has_no_certificate_is_told_that_one_is_asked_for(
    ca: Authority, pair: tuple[Path, Path], newest: ssl.TLSVersion, words: str
):
    with refusing(pair, ca.file, newest) as url:
        got = await refusal(road(ca), url)
    assert (got.fault, got.message) == ("connect", f"{words} (providers.openai.client_cert)")


@pytest.mark.parametrize("newest", VERSIONS)
async def test_a_certificate_of_another_authority_is_named_when_it_is_refused(
    ca: Authority, pair: tuple[Path, Path], newest: ssl.TLSVersion, tmp_path: Path
):
    certificate, key = Authority(tmp_path, "another").certify("mallory")
    with refusing(pair, ca.file, newest) as url:
        got = await refusal(road(ca, (certificate, key)), url)
    assert (got.fault, got.message) == (
        "connect",
        f"it does not accept our certificate {certificate} (providers.openai.client_cert)",
    )


async def test_a_connection_made_as_one_serves_nobody_else(
    ca: Authority, pair: tuple[Path, Path], ann: tuple[Path, Path]
):
    bob = ca.certify("bob")
    async with upstream() as asked, provider(pair, wants=ca.file) as at:
        for mine in (ann, bob, ann, bob):
            assert (await ask(asked, call_to(at.url, road=road(ca, mine)))).status == 200
        assert at.seen == ["ann", "bob", "ann", "bob"]
        assert at.lines == 2


async def test_a_renewed_certificate_is_shown_from_the_next_connection_on(
    ca: Authority, pair: tuple[Path, Path], tmp_path: Path
):
    mine = (tmp_path / "mine.crt", tmp_path / "mine.key")
    for number, name in enumerate(("old", "new")):
        for place, made in zip(mine, ca.certify(name), strict=True):
            place.write_bytes(made.read_bytes())
            os.utime(place, ns=(number, number))
        if not number:
            asked_before = upstream()
            asked = await asked_before.__aenter__()
        async with provider(pair, wants=ca.file) as at:
            assert (await ask(asked, call_to(at.url, road=road(ca, mine)))).status == 200
            assert at.seen == [name]
    await asked_before.__aexit__(None, None, None)


async def test_a_file_that_cannot_be_used_is_named_with_its_key(ca: Authority, ann: tuple[Path, Path], tmp_path: Path):
    empty, locked = tmp_path / "empty.pem", ca.certify("locked", password=b"hush")
    empty.write_text("nothing")
    other = ca.certify("other")[1]
    rows = [
        (Road(ca_file="/no/such.pem"), "no TLS: /no/such.pem cannot be read (No such file or directory)", "ca_file"),
        (Road(ca_file=str(empty)), f"no TLS: {empty} holds no certificate in PEM form", "ca_file"),
        (road(ca, (ann[0], Path("/no/such.key"))), "no TLS: /no/such.key cannot be read", "client_key"),
        (road(ca, (ann[0], other)), f"no TLS: {ann[0]} and {other} do not belong together", "client_cert"),
        (road(ca, locked), "the key without a password", "client_cert"),
        (road(ca, (empty, empty)), "are not a certificate and its key in PEM form", "client_cert"),
    ]
    for by, words, key in rows:
        got = await refusal(by)
        assert got.fault == "connect"
        assert words in got.message
        assert f"(providers.openai.{key})" in got.message
