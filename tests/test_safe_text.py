"""Tests of text that is shown: no passwords, no control codes."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.cli import cli
from mlops_basics.safe_text import (
    make_logs_safe,
    safe_text,
    short_text,
    with_environment,
    without_secrets,
)


@pytest.mark.parametrize(
    "address",
    [
        "s3://KEY:CANARY@bucket/a.csv",
        "s3://KEY:CAN/ARY+CANARY/x=@bucket/a.csv",
        "https://user:CANARY@host:8080/x?y=1",
        "https://CANARY@github.com/x.git",
        "postgresql+psycopg2://user:p@CANARY@host/db",
        "sftp://user:CANARY@host",
        "https://host/x?X-Amz-Signature=CANARY&X-Amz-Credential=CANARY",
        "https://host/x?sv=1&sig=CANARY",
        "https://host/x?access_token=CANARY",
        "http://:CANARY@host",
        "https://user:123@CANARY@host",
    ],
)
def test_secrets_of_addresses_are_left_out(address):
    """Passwords are removed within a sentence, in quotes and when repeated."""
    for text in (address, f"Cannot read '{address}'.", f'"{address}" and "{address}"'):
        found = without_secrets(text)
        assert "CANARY" not in found
        assert "***" in found


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/a.csv",
        "http://127.0.0.1:5000/#/models/iris@champion",
        "http://localhost:5000 and me@example.org",
        "sqlite:////home/me/mlflow.db",
        "models:/iris@champion",
        "me@example.org: 5 of 7",
        "C:\\data\\x@y.csv",
        "https://host/x?page=2&sort=name",
    ],
)
def test_other_addresses_stay_as_they_are(text):
    """A port is no password, an alias no host."""
    assert without_secrets(text) == text


@given(st.text())
def test_nothing_that_is_shown_moves_the_cursor(text):
    """No control characters but line ends and tabs are printed."""
    assert safe_text(text).replace("\n", "").replace("\t", "").isprintable()
    assert len(short_text(text * 2_000)) <= 4_003


def test_control_codes_are_visible():
    """Control characters are shown escaped, and ordinary text is unchanged."""
    assert safe_text("a\x1b[2Jb\r\x07\u202e") == "a\\x1b[2Jb\\r\\x07\\u202e"
    assert safe_text("Größe → 🌼\n\tx") == "Größe → 🌼\n\tx"
    assert short_text("x" * 10_000).startswith("xxx")
    assert short_text("end", 4) == "end"


@pytest.fixture
def safe_logs():
    """Logs that are made safe, for one test."""
    before = logging.getLogRecordFactory()
    make_logs_safe()
    make_logs_safe()
    yield
    logging.setLogRecordFactory(before)


def test_logs_hold_no_secrets(safe_logs, caplog):
    """Messages, arguments and tracebacks of any logger hold no secrets."""
    log = logging.getLogger("somebody.else")
    log.warning("Reading %s of %d", "s3://k:CANARY@bucket\x1b[2J", 3)
    try:
        raise ValueError("https://u:CANARY@host")
    except ValueError:
        log.exception("failed")
    assert "CANARY" not in caplog.text
    assert "Reading s3://***@bucket\\x1b[2J of 3" in caplog.text
    assert "ValueError: https://***@host" in caplog.text


def test_each_command_of_a_model_is_told_with_its_environment():
    """Whatever has ``--env``, wherever it stands; never twice, and not of the default one."""
    own = [name for name, each in cli.commands.items() if "env" in {p.name for p in each.params}]
    assert len(own) > 10
    for name in own:
        told = with_environment(f"First `kedro {name}` (kedro {name}), then kedro {name} --x", "a")
        assert told.count(f"kedro {name} --env a") == 3
        assert with_environment(told, "a") == told
    for name in set(cli.commands) - set(own) - {"package"}:
        assert with_environment(f"kedro {name}", "a") == f"kedro {name}"
    assert with_environment("kedro run -e other --x", "a") == "kedro run -e other --x"
    assert with_environment("kedro run", None) == with_environment("kedro run", "local")
