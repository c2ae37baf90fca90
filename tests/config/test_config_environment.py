"""What the environment decides: providers by their keys, our own variables over the file, the sandbox for want of any."""

from typing import get_args

import pytest

from pennyworth.config import load, problems, with_sandbox
from pennyworth.decide.admit import resolve
from pennyworth.errors import ConfigError
from pennyworth.plan import Target
from pennyworth.request import Dialect

PROVIDERS = [
    ({"OPENAI_API_KEY": "k"}, "openai", "https://api.openai.com/v1", "openai"),
    ({"DEEPSEEK_API_KEY": "k"}, "deepseek", "https://api.deepseek.com/v1", "deepseek"),
    ({"DASHSCOPE_API_KEY": "k"}, "dashscope", "https://dashscope.aliyuncs.com/compatible-mode/v1", "dashscope"),
    ({"MISTRAL_API_KEY": "k"}, "mistral", "https://api.mistral.ai/v1", "mistral"),
    ({"GROQ_API_KEY": "k"}, "groq", "https://api.groq.com/openai/v1", "groq"),
    ({"OPENROUTER_API_KEY": "k"}, "openrouter", "https://openrouter.ai/api/v1", "openrouter"),
    ({"GEMINI_API_KEY": "k"}, "gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "google"),
    ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://gpu:8000/v1/"}, "openai", "http://gpu:8000/v1", "openai"),
    (
        {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com/"},
        "azure",
        "https://x.openai.azure.com/openai/v1",
        "azure",
    ),
]


@pytest.mark.parametrize(("env", "name", "base_url", "price_provider"), PROVIDERS)
def test_a_key_in_the_environment_is_a_provider_for_every_model(env, name, base_url, price_provider):
    (provider,) = load(None, env).providers
    assert (provider.name, provider.base_url, provider.price_provider) == (name, base_url, price_provider)
    assert provider.credential.reveal() == "k"
    assert provider.models == ("*",)
    assert provider.key_source in env


ALL = {
    f"{name}_API_KEY": "k" for name in ("OPENAI", "DEEPSEEK", "DASHSCOPE", "MISTRAL", "GROQ", "OPENROUTER", "GEMINI")
} | {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"}

MODELS = [
    ("gpt-4o-mini", "openai"),
    ("o3-mini", "openai"),
    ("text-embedding-3-small", "openai"),
    ("deepseek-chat", "deepseek"),
    ("qwen-plus", "dashscope"),
    ("mistral-large-latest", "mistral"),
    ("codestral-latest", "mistral"),
    ("open-mixtral-8x22b", "mistral"),
    ("llama-3.3-70b-versatile", "groq"),
    ("moonshotai/kimi-k2-instruct", "groq"),
    ("gemini-2.5-flash", "gemini"),
    ("anthropic/claude-sonnet-4", "openrouter"),
    ("my-deployment", "azure"),
]


@pytest.mark.parametrize(("model", "provider"), MODELS)
def test_with_several_keys_each_provider_is_asked_for_its_own_models(model, provider):
    target = resolve(model, load(None, ALL))
    assert isinstance(target, Target)
    assert (target.provider.name, target.model) == (provider, model)


def test_a_server_of_ones_own_behind_openai_base_url_takes_what_nobody_else_is_asked_for():
    plan = load(None, {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://gpu:8000/v1", "MISTRAL_API_KEY": "k"})
    assert [provider.name for provider in plan.providers] == ["mistral", "openai"]
    assert resolve("anything", plan).provider.name == "openai"


def test_a_file_that_names_providers_leaves_those_of_the_environment_out(tmp_path):
    path = tmp_path / "pennyworth.toml"
    path.write_text('[providers.own]\nbase_url = "http://gpu/v1"')
    plan = load(str(path), ALL)
    assert [provider.name for provider in plan.providers] == ["own"]


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_variable_counts_as_unset(text):
    assert load(None, {"OPENAI_API_KEY": text, "PENNYWORTH_PORT": text, "PENNYWORTH_CONFIG": text}).providers == ()


OVERRIDES = [
    ("PENNYWORTH_ENABLED", "false", lambda plan: plan.enabled, False),
    ("PENNYWORTH_ENABLED", "0", lambda plan: plan.enabled, False),
    ("PENNYWORTH_ENABLED", "True", lambda plan: plan.enabled, True),
    ("PENNYWORTH_HOST", "127.0.0.2", lambda plan: plan.listen.host, "127.0.0.2"),
    ("PENNYWORTH_PORT", "9000", lambda plan: plan.listen.port, 9000),
    ("PENNYWORTH_ADMIN_PORT", "9001", lambda plan: plan.listen.admin_port, 9001),
    ("PENNYWORTH_WORKERS", "3", lambda plan: plan.listen.workers, 3),
    ("PENNYWORTH_STATE_DIR", "/tmp/elsewhere", lambda plan: plan.state_dir, "/tmp/elsewhere"),
    ("PENNYWORTH_LOG_LEVEL", "WARNING", lambda plan: plan.log_level, "warning"),
    ("PENNYWORTH_ADMIN_KEY", "a-key", lambda plan: plan.admin_key.reveal(), "a-key"),
]
FILE = """
enabled = true
state_dir = "in-the-file"
[listen]
host = "127.0.0.9"
port = 7000
workers = 9
[admin]
port = 7001
key_env = "NOT_SET_ANYWHERE"
[log]
level = "error"
"""


@pytest.mark.parametrize(("variable", "text", "piece", "expected"), OVERRIDES)
def test_our_own_variables_win_over_the_file(tmp_path, variable, text, piece, expected):
    path = tmp_path / "pennyworth.toml"
    path.write_text(FILE)
    env = {"PENNYWORTH_CONFIG": str(path), "NOT_SET_ANYWHERE": "x" * 20, variable: text}
    assert piece(load(None, env)) == expected


def test_an_admin_key_of_the_environment_stands_in_for_the_variable_that_the_file_names(tmp_path):
    path = tmp_path / "pennyworth.toml"
    path.write_text(FILE)
    plan = load(str(path), {"PENNYWORTH_ADMIN_KEY": "from-the-environment"})
    assert plan.admin_key.reveal() == "from-the-environment"


def test_a_path_given_by_hand_wins_over_the_variable(tmp_path):
    path = tmp_path / "pennyworth.toml"
    path.write_text("[listen]\nport = 7777")
    assert load(str(path), {"PENNYWORTH_CONFIG": "/nowhere.toml"}).listen.port == 7777


ERRORS = [
    ({"PENNYWORTH_ENABLED": "flase"}, "PENNYWORTH_ENABLED", "'flase' is neither true nor false"),
    ({"PENNYWORTH_PORT": "http"}, "PENNYWORTH_PORT", "'http' is not a whole number"),
    ({"PENNYWORTH_HOST": "0.0.0.0"}, "PENNYWORTH_HOST", "no client key is configured"),
    ({"PENNYWORTH_ADMIN_PORT": "8080"}, "PENNYWORTH_ADMIN_PORT", "the port of the gateway too"),
    ({"PENNYWORTH_KEY": "a b"}, "PENNYWORTH_KEY", "holds a space"),
    ({"OPENAI_API_KEY": "Bearer sk-abc"}, "OPENAI_API_KEY", "begins with 'Bearer'"),
    ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "gpu:8000"}, "OPENAI_BASE_URL", "not an http(s) address"),
    ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://localhost:8080/v1"}, "OPENAI_BASE_URL", "own address"),
]


@pytest.mark.parametrize(("env", "key", "problem"), ERRORS)
def test_a_bad_variable_is_named(env, key, problem):
    (error, *_) = problems(None, env)
    assert error.key == key
    assert problem in error.problem


def test_a_client_key_of_the_environment_lets_the_gateway_listen_anywhere():
    plan = load(None, {"PENNYWORTH_KEY": "a-client-key", "PENNYWORTH_HOST": "0.0.0.0"})
    (key,) = plan.keys
    assert (key.secret.reveal(), key.scope, plan.allow_anonymous) == ("a-client-key", "default", False)


def test_the_sandbox_stands_in_where_there_is_no_provider():
    plan = load(None, {})
    assert plan.providers == ()
    (sandbox,) = with_sandbox(plan, "http://127.0.0.1:5000/v1/").providers
    assert (sandbox.name, sandbox.simulated, sandbox.models) == ("sandbox", True, ("*",))
    assert sandbox.base_url == "http://127.0.0.1:5000/v1"
    assert set(sandbox.dialects) == set(get_args(Dialect)), "it has all of them: nothing is translated"
    assert isinstance(resolve("gpt-4o-mini", with_sandbox(plan, "http://127.0.0.1:5000/v1")), Target)


def test_the_sandbox_is_the_last_resort_and_changes_the_digest():
    plan = load(None, {"OPENAI_API_KEY": "k"})
    both = with_sandbox(plan, "http://127.0.0.1:5000/v1")
    assert [provider.name for provider in both.providers] == ["openai", "sandbox"]
    assert both.digest != plan.digest
    assert with_sandbox(both, "http://127.0.0.1:5000/v1") == both


def test_nothing_at_all_is_a_configuration():
    plan = load(None, {})
    assert (plan.listen.host, plan.listen.port, plan.allow_anonymous, plan.enabled) == ("127.0.0.1", 8080, True, True)


def test_one_error_is_raised_as_itself():
    with pytest.raises(ConfigError) as caught:
        load(None, {"PENNYWORTH_PORT": "x"})
    assert type(caught.value) is ConfigError
