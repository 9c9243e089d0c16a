"""Settings: order of sources, .env as people write it, the mode rules, addresses, pairs, option ranges."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lunomm import cli_options, config
from lunomm.config import (
    Common,
    RedisAddress,
    environment,
    parse_pair,
    parse_pairs,
    read_common,
    read_dotenv,
    read_redis,
    read_state_dir,
)
from lunomm.errors import ConfigError, LunommError, UsageError
from lunomm.luno.hosts import ApiKey
from lunomm.options.book import BookOptions
from lunomm.options.calibrate import CalibrateOptions
from lunomm.options.exchange import ExchangeOptions
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions
from lunomm.options.up import UpOptions
from lunomm.requires import require_bus_key, require_live

KEYS = {"LUNO_KEY_ID": "abc", "LUNO_KEY_SECRET": "def"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("LUNO_KEY_ID = abc\nLUNO_KEY_SECRET = def\n", KEYS),
        ("LUNO_KEY_ID=\nLUNO_KEY_SECRET = \nREDIS_HOST = localhost\n", {"REDIS_HOST": "localhost"}),
        ("\ufeffREDIS_PORT=1\r\nREDIS_HOST='h'\r\n", {"REDIS_PORT": "1", "REDIS_HOST": "h"}),
        ("export REDIS_HOST=h # said twice\n\n# a comment\n", {"REDIS_HOST": "h"}),
        ('LUNO_KEY_SECRET="a$HOME b"\n', {"LUNO_KEY_SECRET": "a$HOME b"}),
        ("LUNO_KEY_SECRET=$(touch /tmp/no)\n", {"LUNO_KEY_SECRET": "$(touch /tmp/no)"}),
        ("REDIS_HOST\n", {}),
        ("", {}),
    ],
)
def test_dotenv_is_data(tmp_path: Path, text: str, values: dict[str, str]) -> None:
    path = tmp_path / ".env"
    path.write_bytes(text.encode())
    assert read_dotenv(path) == values


def test_dotenv_that_cannot_be_read(tmp_path: Path) -> None:
    assert read_dotenv(tmp_path / "none") == {}
    assert read_dotenv(tmp_path) == {}
    path = tmp_path / ".env"
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 2"):
        read_dotenv(path)
    path.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        read_dotenv(path)


def test_environment_wins_over_dotenv_and_empty_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("LUNOMM_GAMMA = 2\nLUNOMM_ETA = 3\nREDIS_HOST = h\n")
    monkeypatch.setenv("LUNOMM_GAMMA", "5")
    monkeypatch.setenv("LUNOMM_ETA", " ")
    found = environment(tmp_path)
    assert (found["LUNOMM_GAMMA"], found["LUNOMM_ETA"], found["REDIS_HOST"]) == ("5", "3", "h")
    config.export_options({**found, **KEYS})
    assert config.os.environ["LUNOMM_ETA"] == "3"
    assert "LUNO_KEY_ID" not in config.os.environ
    monkeypatch.setenv("LUNOMM_ETA", "")


def test_children_get_addresses_but_no_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**KEYS, "LUNOMM_TAPE": "x", "LUNOMM_FOR": "5", "LUNOMM_REDIS_URL": "redis://h:1"}.items():
        monkeypatch.setenv(name, value)
    child, piece = config.child_environment(LUNOMM_STATE_DIR="/s"), config.supervised_environment()
    assert not {"LUNOMM_TAPE", "LUNOMM_FOR", "LUNO_KEY_ID", "LUNO_KEY_SECRET"} & set(child)
    assert (child["LUNOMM_REDIS_URL"], child["LUNOMM_STATE_DIR"]) == ("redis://h:1", "/s")
    assert piece["LUNO_KEY_ID"] == "abc"
    assert "LUNOMM_TAPE" not in piece
    (tmp_path / ".env").write_text("LUNOMM_TAPE = x\nLUNO_KEY_ID = k\nLUNOMM_STATE_DIR = s\n")
    monkeypatch.setattr(config.os, "environ", {config.ARGUMENTS_ONLY: "1"})
    assert environment(tmp_path) == {config.ARGUMENTS_ONLY: "1", "LUNO_KEY_ID": "k", "LUNOMM_STATE_DIR": "s"}


@pytest.mark.parametrize(
    ("env", "mode", "expected"),
    [
        ({}, None, "sim"),
        ({}, "sim", "sim"),
        (KEYS, "sim", "sim"),
        (KEYS, "live", "live"),
        (KEYS, None, "paper"),
        (KEYS, "paper", "paper"),
        ({}, "paper", "paper"),
        ({}, "live", (ConfigError, "LUNO_KEY_ID and LUNO_KEY_SECRET")),
        ({"LUNO_KEY_ID": "abc"}, "live", (ConfigError, "absent: LUNO_KEY_SECRET")),
        ({"LUNO_KEY_SECRET": "def"}, None, (ConfigError, "LUNO_KEY_SECRET is set without")),
        ({}, "real", (UsageError, "unknown")),
    ],
)
def test_mode_rules(env: dict[str, str], mode: str | None, expected: Any) -> None:
    if isinstance(expected, str):
        common = read_common(env, mode=mode)
        assert common.mode == expected
        assert common.mode_explicit == (mode is not None)
    else:
        kind, words = expected
        with pytest.raises(kind, match=words):
            read_common(env, mode=mode)


def test_commands_without_a_venue_ignore_keys() -> None:
    assert read_common(KEYS, venue=False).mode == "sim"


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_for_must_be_a_time(seconds: float) -> None:
    with pytest.raises(UsageError, match="--for"):
        read_common({}, for_s=seconds)


@pytest.mark.parametrize(
    ("env", "address"),
    [
        ({}, RedisAddress("127.0.0.1", 6379)),
        ({"REDIS_HOST": "h", "REDIS_PORT": "7"}, RedisAddress("h", 7)),
        ({"REDIS_HOST": "h", "LUNOMM_REDIS_URL": "redis://other:8/2"}, RedisAddress("other", 8, 2)),
        (
            {"LUNOMM_REDIS_URL": "redis+sentinel://me:p%40ss@a:1,b,[::1]:3/main.1/2?sentinel_password=s"},
            RedisAddress(
                "a",
                1,
                2,
                "me",
                "p@ss",
                sentinels=(("a", 1), ("b", 26379), ("::1", 3)),
                service="main.1",
                sentinel_password="s",
            ),
        ),
        (
            {"LUNOMM_REDIS_URL": "rediss+sentinel://a/main"},
            RedisAddress("a", 26379, tls=True, sentinels=(("a", 26379),), service="main"),
        ),
        (
            {"LUNOMM_REDIS_URL": "rediss://me:p%40ss@r.example"},
            RedisAddress("r.example", 6379, username="me", password="p@ss", tls=True),
        ),
    ],
)
def test_redis_address(env: dict[str, str], address: RedisAddress) -> None:
    assert read_redis(env) == address


@pytest.mark.parametrize(
    "env",
    [
        {"REDIS_PORT": "0"},
        {"REDIS_PORT": "65536"},
        {"REDIS_PORT": "63790x"},
        {"REDIS_PORT": "６３７９"},
        {"LUNOMM_REDIS_URL": "http://user:hunter2@h"},
        {"LUNOMM_REDIS_URL": "redis://:hunter2@"},
        {"LUNOMM_REDIS_URL": "redis://:hunter2@h:99999"},
        {"LUNOMM_REDIS_URL": "redis://:hunter2@h:0"},
        {"LUNOMM_REDIS_URL": "redis://:hunter2@h/x"},
        {"LUNOMM_REDIS_URL": "redis+sentinel://:hunter2@h:1"},
        {"LUNOMM_REDIS_URL": "redis+sentinel://:hunter2@h:1,/main"},
        {"LUNOMM_REDIS_URL": "redis+sentinel://:hunter2@h:1,h:1/main"},
        {"LUNOMM_REDIS_URL": "redis+sentinel://:hunter2@h:1,i:99999/main"},
        {"LUNOMM_REDIS_URL": "redis+sentinel://:hunter2@h:1/main/x"},
        {"LUNOMM_REDIS_URL": "redis+sentinel://h:1/main?password=hunter2"},
        {"LUNOMM_REDIS_URL": "rediss://:hunter2@h", "LUNOMM_REDIS_CA": "/nowhere/ca.crt"},
        {"LUNOMM_REDIS_URL": "redis://:hunter2@h", "LUNOMM_REDIS_CA": "/etc/hostname"},
        {"LUNOMM_REDIS_URL": "rediss://:hunter2@h", "LUNOMM_REDIS_CERT": "/etc/hostname"},
    ],
)
def test_bad_redis_addresses_never_echo_a_password(env: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_redis(env)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)


def test_what_an_embedded_server_may_stand_in_for() -> None:
    assert RedisAddress().embeddable
    assert RedisAddress("localhost").embeddable
    assert not RedisAddress("192.0.2.1").embeddable
    assert not RedisAddress(password="x").embeddable
    assert not RedisAddress(tls=True).embeddable
    assert not RedisAddress(db=1).embeddable
    assert "secret" not in repr(RedisAddress(password="secret"))


def test_state_dir() -> None:
    assert read_state_dir({"LUNOMM_STATE_DIR": "/x/y"}) == Path("/x/y")
    assert read_state_dir({"XDG_STATE_HOME": "/x"}) == Path("/x/lunomm")
    assert read_state_dir({}).name == "lunomm"


@pytest.mark.parametrize(
    ("text", "pair"), [("XBTZAR", "XBTZAR"), (" xbtzar ", "XBTZAR"), ("usdtzar", "USDTZAR"), ("LINKUSDT", "LINKUSDT")]
)
def test_pairs(text: str, pair: str) -> None:
    assert parse_pair(text) == pair


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("BTC/ZAR", "Did you mean XBTZAR"),
        ("XBT-ZAR", "Did you mean XBTZAR"),
        ("eth_myr", "Did you mean ETHMYR"),
        ("", "look like XBTMYR"),
        ("X" * 10_000, "look like XBTMYR"),
        ("🚀🚀🚀🚀🚀", "look like XBTMYR"),
        ("../../etc", "look like XBTMYR"),
        ("XBTZAR\x1b[2J", "look like XBTMYR"),
        ("ＸＢＴＺＡＲ", "look like XBTMYR"),
    ],
)
def test_impossible_pairs(text: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint) as caught:
        parse_pair(text)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_default_pairs() -> None:
    assert parse_pairs(None, {}) == ("XBTMYR",)
    assert parse_pairs([], {"LUNOMM_PAIR": "xbtzar, ethmyr"}) == ("XBTZAR", "ETHMYR")
    assert parse_pairs(["XBTZAR", "xbtzar"], {"LUNOMM_PAIR": "ETHMYR"}) == ("XBTZAR",)


def test_defaults_are_the_documents() -> None:
    quote = QuoteOptions()
    assert (quote.order_size, quote.gamma, quote.eta, quote.min_spread) == (Decimal(1), 1.0, -0.005, 0.0)
    assert (quote.order_refresh_rate_s, quote.filled_order_delay_s, quote.max_order_age_s) == (60, 60, 1800)
    assert GatewayOptions().update_balance_interval_s == 2
    assert (BookOptions().vol_window_s, BookOptions().kappa_lookback_s, BookOptions().depth) == (600, 1200, 10)
    assert UpOptions().quote == quote


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (QuoteOptions, {"gamma": math.nan}),
        (QuoteOptions, {"gamma": -1.0}),
        (QuoteOptions, {"gamma": math.inf}),
        (QuoteOptions, {"eta": math.nan}),
        (QuoteOptions, {"order_size": Decimal(0)}),
        (QuoteOptions, {"order_size": Decimal("NaN")}),
        (QuoteOptions, {"min_spread": -0.1}),
        (QuoteOptions, {"order_refresh_rate_s": 0.0}),
        (QuoteOptions, {"horizon_s": 0.0}),
        (QuoteOptions, {"spread_formula": "other"}),
        (QuoteOptions, {"size_rule": "other"}),
        (QuoteOptions, {"kappa_prior": 0.0}),
        (QuoteOptions, {"inventory_target": "101%"}),
        (QuoteOptions, {"inventory_target": "-1"}),
        (QuoteOptions, {"inventory_target": "nan"}),
        (GatewayOptions, {"max_position": Decimal(-1)}),
        (GatewayOptions, {"max_daily_loss": Decimal("Infinity")}),
        (GatewayOptions, {"update_balance_interval_s": 0.0}),
        (BookOptions, {"depth": 0}),
        (BookOptions, {"vol_price": "last"}),
        (BookOptions, {"speed": 0.0}),
        (BookOptions, {"tape": Path("/none/such")}),
        (ExchangeOptions, {"port": 0}),
        (ExchangeOptions, {"port": 65536}),
        (ExchangeOptions, {"seed": -1}),
        (ExchangeOptions, {"fee_tier": 2}),
        (ExchangeOptions, {"speed": math.nan}),
        (ExchangeOptions, {"tape": Path("/")}),
        (CalibrateOptions, {"minutes": 0.0}),
        (CalibrateOptions, {"tape": (Path("/none/such"),)}),
        (UpOptions, {"fee_tier": 7}),
    ],
)
def test_options_out_of_range(options: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        options(**wrong)
    assert str(caught.value).startswith("--")


def test_gamma_zero_and_signed_eta_are_fine() -> None:
    assert QuoteOptions(gamma=0.0, eta=0.5, inventory_target="50%").gamma == 0.0
    QuoteOptions(eta=-0.005, inventory_target="0.05XBT")


def test_live_needs_its_limits_said() -> None:
    live = Common(mode="live", redis=RedisAddress(), state_dir=Path("/s"), key=ApiKey("a", "b"))
    sim = Common(mode="sim", redis=RedisAddress(), state_dir=Path("/s"))
    limits = GatewayOptions(max_position=Decimal(1), max_order_value=Decimal(1), max_daily_loss=Decimal(1))
    said = QuoteOptions(order_size=Decimal("0.1"), order_size_explicit=True)
    require_live(sim, QuoteOptions(), GatewayOptions())
    require_live(live, said, limits)
    with pytest.raises(ConfigError, match="-size, --max-position, --max-order-value, --max-daily-loss not given"):
        require_live(live, QuoteOptions(), GatewayOptions())
    with pytest.raises(LunommError, match="--order-size not given"):
        require_live(live, QuoteOptions(), limits)


def test_no_key_is_ever_shown() -> None:
    common = read_common(KEYS, mode="live")
    assert "def" not in repr(common)


def test_the_guardians_own_key_is_whole_or_absent(tmp_path: Path) -> None:
    both = {"LUNO_GUARDIAN_KEY_ID": "watch", "LUNO_GUARDIAN_KEY_SECRET": "canary-of-the-guardian"}
    common = read_common({**both, "LUNOMM_STATE_DIR": str(tmp_path)})
    assert common.guardian_key is not None and common.guardian_key.id == "watch"
    assert "canary-of-the-guardian" not in repr(common)
    assert read_common({"LUNOMM_STATE_DIR": str(tmp_path)}).guardian_key is None
    with pytest.raises(ConfigError, match="LUNO_GUARDIAN_KEY_ID is set without its other half"):
        read_common({"LUNO_GUARDIAN_KEY_ID": "watch", "LUNOMM_STATE_DIR": str(tmp_path)})


def test_a_bus_on_another_machine_is_sealed() -> None:
    here = read_common({"LUNOMM_STATE_DIR": "/tmp"})
    require_bus_key(here)
    away = {"REDIS_HOST": "10.0.0.7", "LUNOMM_STATE_DIR": "/tmp"}
    with pytest.raises(ConfigError, match="LUNOMM_BUS_KEY: absent"):
        require_bus_key(read_common(away))
    with pytest.raises(ConfigError, match="shorter than 16"):
        read_common({**away, "LUNOMM_BUS_KEY": "short"})
    sealed = read_common({**away, "LUNOMM_BUS_KEY": "canary-0123456789"})
    require_bus_key(sealed)
    assert sealed.redis.bus_key == "canary-0123456789" and "canary" not in repr(sealed)


def test_where_each_setting_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `export_options` put into the environment still came from the file."""
    (tmp_path / ".env").write_text("LUNOMM_GAMMA=2\nREDIS_HOST=h\nLUNOMM_ETA=-1\nOTHER=1\n")
    monkeypatch.setenv("LUNOMM_ETA", "-2")
    monkeypatch.setenv("LUNOMM_GAMMA", "")
    monkeypatch.setattr(config, "_FROM_DOTENV", set())
    config.export_options(environment(tmp_path))
    assert config.sources(tmp_path) == {"LUNOMM_ETA": "environment", "LUNOMM_GAMMA": ".env", "REDIS_HOST": ".env"}


def test_every_name_that_is_read_is_known() -> None:
    """Else doctor would call a setting of ours a typing error."""
    source = "".join(path.read_text() for path in (Path(__file__).parents[2] / "lunomm").rglob("*.py"))
    spelled = set(re.findall(r'"(LUNOMM_[A-Z_]*[A-Z])"', source))
    known = {*cli_options.variables(), *config.VARIABLES}
    assert spelled - known == set() and {"LUNOMM_GAMMA", "LUNOMM_MODE"} <= known
