"""Roads, keys, quirks and presets of providers: what the file says, what the environment says, and what is refused."""

import pytest

from pennyworth.config import check, load, problems
from pennyworth.config.presets import PRESETS, preset_named
from pennyworth.plan import Quirks, Road
from pennyworth.secret import Secret


def provider(tmp_path, lines, env=None, name="own"):
    return load(file(tmp_path, lines, name), env or {}).providers[0]


def file(tmp_path, lines, name="own"):
    path = tmp_path / "pennyworth.toml"
    path.write_text(f"[providers.{name}]\n{lines}")
    return str(path)


HTTPS = 'base_url = "https://api.example.com/v1"\n'
HTTP = 'base_url = "http://10.1.2.3:8000/v1"\n'


def test_a_road_is_what_the_table_says(tmp_path):
    lines = HTTPS + 'proxy = "http://Proxy:3128/"\nproxy_env = "P"\nca_file = "a"\nclient_cert = "b"\nclient_key = "c"'
    road = provider(tmp_path, lines, {"P": "ann:s3cret"}).road
    assert road == Road(
        proxy="http://proxy:3128", proxy_key=Secret("ann:s3cret"), ca_file="a", client_cert="b", client_key="c"
    )
    assert "s3cret" not in repr(road)


ENV = {"https_proxy": "http://secure:1", "HTTP_PROXY": "plain:2", "NO_PROXY": "localhost, .corp ,10.0.0.0/8"}

BY_ENVIRONMENT = [
    ("https://api.example.com/v1", ENV, "http://secure:1", ""),
    ("http://api.example.com/v1", ENV, "http://plain:2", ""),
    ("http://llm.corp/v1", ENV, "", ""),
    ("http://corp/v1", ENV, "", ""),
    ("http://notcorp/v1", ENV, "http://plain:2", ""),
    ("http://10.1.2.3:8000/v1", ENV, "", ""),
    ("http://11.1.2.3:8000/v1", ENV, "http://plain:2", ""),
    ("http://gpu:8000/v1", {"http_proxy": "plain:2", "no_proxy": "gpu:9000"}, "http://plain:2", ""),
    ("http://gpu:8000/v1", {"http_proxy": "plain:2", "no_proxy": "gpu:8000"}, "", ""),
    ("http://[::1]:8000/v1", {"http_proxy": "plain:2", "no_proxy": "[::1]:8000"}, "", ""),
    ("http://[fd00::1]:8000/v1", {"http_proxy": "plain:2", "no_proxy": "fd00::/8"}, "", ""),
    ("https://api.example.com/v1", {"ALL_PROXY": "all:3"}, "http://all:3", ""),
    ("https://api.example.com/v1", {"https_proxy": "a:1", "HTTPS_PROXY": "b:2"}, "http://a:1", ""),
    ("https://api.example.com/v1", {"https_proxy": "a:1", "no_proxy": "*"}, "", ""),
    ("https://api.example.com/v1", {}, "", ""),
    ("https://api.example.com/v1", {"https_proxy": "http://ann:p%40ss@secure:1"}, "http://secure:1", "ann:p@ss"),
]


@pytest.mark.parametrize(("base_url", "env", "proxy", "key"), BY_ENVIRONMENT)
def test_the_environment_is_heard_where_the_table_says_so(tmp_path, base_url, env, proxy, key):
    road = provider(tmp_path, f'base_url = "{base_url}"\nproxy = "environment"', env).road
    assert (road.proxy, road.proxy_key.reveal()) == (proxy, key)
    assert provider(tmp_path, f'base_url = "{base_url}"', env).road == Road(), "explicit beats implicit"


REFUSED = [
    (HTTPS + 'proxy = "http://ann:s3cret@proxy:1"', {}, "providers.own.proxy", "holds a user name"),
    (HTTPS + 'proxy = "https://proxy:1"', {}, "providers.own.proxy", "is not the address of an HTTP proxy"),
    (HTTPS + 'proxy = "socks5://proxy:1"', {}, "providers.own.proxy", "is not the address of an HTTP proxy"),
    (HTTPS + 'proxy = "environment"', {"https_proxy": "socks5://s3cret@p:1"}, "https_proxy", "is not the address"),
    (HTTPS + 'proxy_env = "P"', {"P": "a:b"}, "providers.own.proxy_env", "no proxy to show it to"),
    (HTTPS + 'proxy = "http://proxy:1"\nproxy_env = "P"', {}, "P", "it is not set"),
    (HTTPS + 'proxy = "http://proxy:1"\nproxy_env = "P"', {"P": "s3cret"}, "P", "not of the form user:password"),
    (HTTPS + 'client_key = "k"', {}, "providers.own.client_key", "no certificate that it belongs to"),
    (HTTP + 'ca_file = "k"', {}, "providers.own.ca_file", "no effect on a plain http address"),
    (HTTPS + 'auth = "basic"', {}, "providers.own.auth", "is not one of the choices"),
    (HTTPS + 'auth = "none"\nkey = "s3cret"', {}, "providers.own.auth", "a key that would never be shown"),
    (HTTPS + 'auth = "api-key"\nforward_caller = true', {}, "providers.own.auth", "there is no key of ours to show"),
    (HTTPS + 'leave_out = ["messages"]', {}, "providers.own.leave_out", "is not one of the choices"),
    (HTTPS + 'leave_out = ["stream"]', {}, "providers.own.leave_out", "is not one of the choices"),
]


@pytest.mark.parametrize(("lines", "env", "key", "problem"), REFUSED)
def test_what_cannot_be_meant_is_refused_without_a_secret(tmp_path, lines, env, key, problem):
    found = {error.key: error.problem for error in problems(file(tmp_path, lines), env)}
    assert problem in found[key]
    assert "s3cret" not in str(found)


def test_auth_and_quirks_are_the_presets_unless_the_table_says_otherwise(tmp_path):
    mistral = provider(tmp_path, "", {"MISTRAL_API_KEY": "k"}, "mistral")
    assert mistral.quirks == preset_named("mistral").quirks
    plain = provider(tmp_path, 'leave_out = []\ncap_field = "both"', {"MISTRAL_API_KEY": "k"}, "mistral")
    assert plain.quirks == Quirks()
    azure = {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"}
    assert load(None, azure).providers[0].auth == "api-key"
    assert provider(tmp_path, 'auth = "bearer"', azure, "azure").auth == "bearer"


@pytest.mark.parametrize(
    ("name", "base_url"),
    [
        ("vllm", "http://localhost:8000/v1"),
        ("sglang", "http://localhost:30000/v1"),
        ("ollama", "http://localhost:11434/v1"),
    ],
)
def test_a_server_of_ones_own_needs_its_name_only(tmp_path, name, base_url):
    own = provider(tmp_path, "", {}, name)
    assert (own.base_url, own.models, bool(own.credential)) == (base_url, ("*",), False)
    assert [finding.severity for finding in check(load(file(tmp_path, "", name), {}), {})].count("error") == 0
    keyed = provider(tmp_path, "", {f"{name.upper()}_API_KEY": "k"}, name)
    assert (keyed.credential.reveal(), keyed.auth) == ("k", "bearer")


def test_a_key_alone_brings_in_no_server_of_ones_own_and_one_region_of_a_company(tmp_path):
    env = {"VLLM_API_KEY": "k", "OLLAMA_API_KEY": "k", "DASHSCOPE_API_KEY": "k"}
    assert [one.name for one in load(None, env).providers] == ["dashscope"]
    abroad = provider(tmp_path, "", env, "dashscope-intl")
    assert (abroad.base_url, abroad.credential.reveal()) == (
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "k",
    )


def test_every_preset_that_has_an_address_loads_by_its_name(tmp_path):
    for preset in PRESETS:
        env = {preset.key_env: "k"} | ({preset.url_env: "https://x.example.com"} if preset.url_env else {})
        made = provider(tmp_path, "", env, preset.name)
        assert (made.preset, made.auth, made.quirks) == (preset.name, preset.auth, preset.quirks)
        assert (made.dialects, made.headers) == (preset.dialects, preset.headers)


def findings(tmp_path, lines, env=None, name="own"):
    path = file(tmp_path, lines, name)
    return {one.key: (one.severity, one.message) for one in check(load(path, env or {}), env or {}, path)}


def test_a_certificate_file_that_cannot_be_used_is_found_by_check(tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")
    lines = HTTPS + f'auth = "none"\nca_file = "{tmp_path}/empty.pem"\n'
    assert findings(tmp_path, lines)["providers.own.ca_file"] == (
        "error",
        f"{tmp_path}/empty.pem holds no certificate in PEM form",
    )
    lines = HTTPS + f'auth = "none"\nclient_cert = "{tmp_path}/empty.pem"\nclient_key = "/no/such.key"'
    severity, message = findings(tmp_path, lines)["providers.own.client_key"]
    assert (severity, "/no/such.key cannot be read" in message) == ("error", True)


def test_a_key_that_others_can_read_is_found_by_check(tmp_path):
    from tests.upstreams.authority import Authority

    certificate, key = Authority(tmp_path, "ca").certify("me")
    lines = HTTPS + f'auth = "none"\nclient_cert = "{certificate}"\nclient_key = "{key}"'
    key.chmod(0o644)
    assert "lets other users of this machine at it" in findings(tmp_path, lines)["providers.own.client_key"][1]
    key.chmod(0o600)
    assert findings(tmp_path, lines)["providers.own.client_cert"][0] == "ok"


def test_a_preset_without_published_prices_is_pointed_to_an_overlay(tmp_path):
    for name, env in (("vllm", {}), ("dashscope", {"DASHSCOPE_API_KEY": "k"})):
        severity, message = findings(tmp_path, "", env, name)[f"providers.{name}.price_provider"]
        assert severity == "warning"
        assert "no published price" in message
    assert "providers.openai.price_provider" not in findings(tmp_path, "", {"OPENAI_API_KEY": "k"}, "openai")


def test_anthropic_is_asked_in_its_own_dialect_with_its_key_in_its_own_header():
    (made,) = load(None, {"ANTHROPIC_API_KEY": "sk-ant"}).providers
    assert (made.name, made.base_url, made.auth) == ("anthropic", "https://api.anthropic.com/v1", "x-api-key")
    assert made.dialects == ("messages", "other")
    assert made.headers == (("anthropic-version", "2023-06-01"),)
    (moved,) = load(None, {"ANTHROPIC_API_KEY": "sk-ant", "ANTHROPIC_BASE_URL": "https://relay.example/"}).providers
    assert (moved.base_url, moved.headers) == ("https://relay.example/v1", made.headers)


ADDRESSES = [
    ("foundry", "ANTHROPIC_FOUNDRY_BASE_URL", "https://r.services.ai.azure.com/anthropic/", "https://r.services.ai.azure.com/anthropic/v1"),
    ("bedrock", "AWS_BEDROCK_BASE_URL", "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1", "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"),
    ("bedrock-anthropic", "ANTHROPIC_BEDROCK_MANTLE_BASE_URL", "https://bedrock-mantle.us-east-1.api.aws/anthropic", "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "variable", "said", "address"), ADDRESSES)
def test_the_variable_of_its_own_sdk_says_where_it_is(tmp_path, name, variable, said, address):
    made = provider(tmp_path, "", {preset_named(name).key_env: "k", variable: said}, name)
    assert made.base_url == address


def test_a_header_of_the_file_stands_instead_of_the_presets_and_beside_its_others(tmp_path):
    more = provider(tmp_path, 'headers = { "x-team" = "search" }', {"ANTHROPIC_API_KEY": "k"}, "anthropic")
    assert more.headers == (("x-team", "search"), ("anthropic-version", "2023-06-01"))
    other = provider(
        tmp_path, 'headers = { "Anthropic-Version" = "2027-01-01" }', {"ANTHROPIC_API_KEY": "k"}, "anthropic"
    )
    assert other.headers == (("anthropic-version", "2027-01-01"),)


def test_each_key_in_the_environment_brings_in_one_provider_at_most():
    for preset in PRESETS:
        names = [made.name for made in load(None, {preset.key_env: "k"}).providers]
        assert len(names) <= 1, names
