"""What of a text may be shown: the smallest texts that hold a secret, and those that hold none."""

import json

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from tandem import redaction
from tandem.config.composed import config_hash, flatten, hide_secrets, to_yaml
from tandem.manual import configuration_folder
from tandem.redaction import REDACTED, shown, shown_word


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())
    monkeypatch.setattr(redaction, "_secret_keys", [*redaction._secret_keys])


HIDDEN = {
    "postgresql://u:pw@host/db": "postgresql://***@host/db",
    "at http://u:p@w@host:5000/api: no": "at http://***@host:5000/api: no",
    "mysql+pymysql://u:p/w@host/db": "mysql+pymysql://***@host/db",
    "https://token@host": "https://***@host",
    "http://h/?user=a&password=pw&x=1": f"http://h/?user=a&password={REDACTED}&x=1",
    "tracking.uri='http://u:pw@h'": "tracking.uri='http://***@h'",
    "near '+spark.conf={fs.s3a.secret.key: pw, b: 1}'": f"near '+spark.conf={{fs.s3a.secret.key: "
    f"{REDACTED}, b: 1}}'",
    '{"a.access.key": "p w", "token": \'x\'}': f'{{"a.access.key": "{REDACTED}", "token": '
    f"'{REDACTED}'}}",
    "-Dpassword=pw -Dx=y": f"-Dpassword={REDACTED} -Dx=y",
}
AS_IT_IS = (
    *("sqlite:///a@b.db", "http://127.0.0.1:5000/#/experiments/1", "http://h:5000/a@b"),
    *("tokens.csv: line 5: column 'token_count': 'x' is no number", "dataset.target=token_count"),
    *("data/a.parquet", "{folds.k: 3}", "me@host", "no viable alternative: token recognition"),
)


@pytest.mark.parametrize(("text", "wanted"), HIDDEN.items(), ids=range(len(HIDDEN)))
def test_a_secret_is_hidden_where_it_stands(text: str, wanted: str) -> None:
    assert shown(text) == wanted
    assert shown(wanted) == wanted


ACTING = {
    "\x1b[2Jno": "\\x1b[2Jno",
    "a\rb\x07": "a\\rb\\x07",
    "\x9b31m": "\\x9b31m",
    "tes\u202etxe": "tes\\u202etxe",
    "a\tb\nc é 本": "a\tb\nc é 本",
}


@pytest.mark.parametrize(("text", "wanted"), ACTING.items(), ids=range(len(ACTING)))
def test_what_a_terminal_would_act_on_is_spelled_out(text: str, wanted: str) -> None:
    assert shown(text) == wanted
    assert shown(wanted) == wanted


@pytest.mark.parametrize("text", AS_IT_IS)
def test_what_is_no_secret_is_shown(text: str) -> None:
    assert shown(text) == text
    assert shown_word(text) == text


def test_an_override_is_hidden_to_its_end() -> None:
    assert shown_word("+spark.conf.a.password=p, w") == f"+spark.conf.a.password={REDACTED}"
    assert shown_word("folds.k=3") == "folds.k=3"


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(configuration_folder()), version_base="1.3"):
        return compose("config", [*overrides])


SECRETS = (
    "+spark.conf={fs.s3a.secret.key: under a key, port: ${oc.env:A_NUMBER}, x: 'http://u:pw@h'}",
    *("dataset=files", "dataset.path=${oc.env:A_PLACE}/t.csv", "dataset.target=${dataset.path}"),
    *("dataset.exclude=[id,'${oc.env:A_PLACE}']", "tracking.uri=http://u:long-enough@h"),
)


@pytest.fixture
def secretive(monkeypatch: pytest.MonkeyPatch) -> DictConfig:
    monkeypatch.setenv("A_PLACE", "/some/where")
    monkeypatch.setenv("A_NUMBER", "12345678")
    return composed(*SECRETS)


def test_the_configuration_is_recorded_without_its_secrets(secretive: DictConfig) -> None:
    hide_secrets(secretive)
    leaves = flatten(secretive)
    assert leaves["spark.conf.fs.s3a.secret.key"] == leaves["spark.conf.port"] == REDACTED
    assert leaves["spark.conf.x"] == "http://***@h"
    assert leaves["dataset.path"] == REDACTED
    assert leaves["dataset.target"] == f"{REDACTED}/t.csv"
    assert json.loads(leaves["dataset.exclude"]) == ["id", REDACTED]
    assert leaves["folds.k"] == "3"
    text = to_yaml(secretive)
    assert "uri: http://***@h" in text
    for secret in ("under a key", "/some/where", "12345678", "pw@", "long-enough"):
        assert secret not in text
        assert secret not in "".join(leaves.values())


def test_the_hash_is_of_what_is_computed(
    secretive: DictConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = config_hash(secretive)
    hide_secrets(secretive)
    assert config_hash(secretive) == before
    monkeypatch.setenv("A_PLACE", "/else/where")
    assert config_hash(composed(*SECRETS)) != before


def test_messages_do_not_quote_what_is_hidden(secretive: DictConfig) -> None:
    hide_secrets(secretive)
    assert shown("/some/where/t.csv: there is no such file") == (
        f"{REDACTED}/t.csv: there is no such file"
    )
    assert shown("12345678 rows") == "12345678 rows"  # a number may stand for anything
    assert shown("login failed: long-enough") == f"login failed: {REDACTED}"


def test_the_users_own_pattern_names_keys_too() -> None:
    own = "+spark.conf={spark.redaction.regex:'(?i)pin$',my.PIN:abcd,my.account:as-it-is}"
    config = composed(own)
    hide_secrets(config)
    leaves = flatten(config)
    assert leaves["spark.conf.my.PIN"] == REDACTED
    assert leaves["spark.conf.my.account"] == "as-it-is"
    assert shown_word("spark.conf.my.pin=1") == f"spark.conf.my.pin={REDACTED}"
