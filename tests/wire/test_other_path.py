"""Where what is passed through may lead: rows, and the law that nothing gets out from behind a base URL."""

from __future__ import annotations

from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.errors import RequestError
from pennyworth.wire.other.path import checked, shape

AS_THEY_CAME = [
    ("/v1/files", "", "/files"),
    ("/v1/files/", "", "/files/"),
    ("/v1/files", "limit=2&after=a%2Fb", "/files?limit=2&after=a%2Fb"),
    ("/v1/files/file-1/content", "", "/files/file-1/content"),
    ("/v1/fine_tuning/jobs/ft:gpt-4o:me::a%20b", "", "/fine_tuning/jobs/ft:gpt-4o:me::a%20b"),
    ("/v1/models/claude@v1.5", "", "/models/claude@v1.5"),
    ("/v1/threads/%E4%BD%A0", "", "/threads/%E4%BD%A0"),
]

REFUSED = [
    *("/v1/..", "/v1/../x", "/v1/files/..", "/v1/a/../../x", "/v1/.../x", "/v1/./x", "/v1/files/."),
    *("/v1//files", "/v1/files//x", "//v1/files", "/v2/files", "/files", "/v1", "/v1/"),
    *("/v1/a%2fb", "/v1/a%2Fb", "/v1/%2e%2e/x", "/v1/%2E/x", "/v1/a%5Cb", "/v1/a%5cb", "/v1/a\\b", "/v1/a%00b", "/v1/a%0d%0ab"),
    *("/v1/%61dmin", "/v1/a%252fb", "/v1/a%", "/v1/a%2", "/v1/a%zz", "/v1/a b", "/v1/a\tb", "/v1/a\r\nb", "/v1/ä", "/v1/a?b", "/v1/a#b"),
    *("/v1/organization", "/v1/organization/projects/p1", "/v1/ORGANIZATION", "/v1/organizations/api_keys", "/v1/organisation/x"),
    *("/v1/keys", "/v1/key", "/v1/api_keys", "/v1/auth/keys", "/v1/credits", "/v1/Admin", "/v1/load_lora_adapter", "/v1/user;x", "/v1/users:x"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "query", "below"), AS_THEY_CAME)
def test_a_path_goes_on_as_it_came(path: str, query: str, below: str):
    assert checked(path, query) == below


@pytest.mark.parametrize("path", REFUSED)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str):
    with pytest.raises(RequestError) as caught:
        checked(path, "")
    assert caught.value.status in (400, 403)


@pytest.mark.parametrize("query", ["a b", "a#b", "a\r\nhost: evil", "a\x00", "ä", "a\x7f"])
def test_a_query_is_one_word(query: str):
    with pytest.raises(RequestError):
        checked("/v1/files", query)


TRICKY = st.lists(
    st.sampled_from([*"/.%;\\@:?#aA2eEfF5cC0", "..", "%2e", "%2f", "%5c", "organization", "files"]), max_size=12
)


@given(TRICKY.map("".join))
def test_however_it_is_read_it_stays_behind_the_base_url(tail: str):
    try:
        below = checked("/v1/" + tail, "")
    except RequestError:
        return
    url = "https://provider.example/base/v1" + below
    for read in (url, unquote(url), unquote(unquote(url)), url.replace(";", "/")):
        put_in_order = urlsplit(urljoin(read, urlsplit(read).path or "/"))
        assert put_in_order.hostname == "provider.example"
        assert put_in_order.path.startswith("/base/v1/")
        assert not put_in_order.path.lower().startswith("/base/v1/organization")


SHAPES = [
    ("/files", "GET /v1/files"),
    ("/files/file-1/content?x=secret", "GET /v1/files/{id}/content"),
    ("/vector_stores/vs_1/file_batches/vsfb_2/cancel", "GET /v1/vector_stores/{id}/file_batches/{id}/cancel"),
    ("/fine_tuning/jobs/ft:gpt:me", "GET /v1/fine_tuning/jobs/{id}"),
    ("/a" + "/runs" * 9, "GET /v1/a/runs/runs/runs/runs/runs/runs/runs/…"),
    ("/" + "a" * 60, "GET /v1/{id}"),
]


@pytest.mark.parametrize(("path", "said"), SHAPES)
def test_a_receipt_tells_the_shape_of_a_path_and_no_ids(path: str, said: str):
    assert shape("GET", path) == said
