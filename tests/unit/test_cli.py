"""The command line: what is typed reaches the command, what is wrong is one line and the right exit code."""

from __future__ import annotations

import json
import sys
import types
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lunomm import cli, cli_options
from lunomm.config import Common
from lunomm.errors import BusError, InstanceError, OrdersMayBeLive, RefusedError
from lunomm.options.book import BookOptions
from lunomm.options.exchange import ExchangeOptions
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions
from lunomm.options.up import UpOptions

COMMANDS = ("book", "quote", "gateway", "calibrate", "status", "up", "exchange", "down")


class Called:
    """Stands in for every command module and remembers how it was called."""

    def __init__(self) -> None:
        self.name = ""
        self.common: Common | None = None
        self.arguments: tuple[Any, ...] = ()
        self.named: dict[str, Any] = {}
        self.result: dict[str, Any] | None = None
        self.error: BaseException | None = None

    def module(self, name: str) -> types.ModuleType:
        made = types.ModuleType(f"lunomm.commands.{name}")

        async def run(common: Common, *arguments: Any, **named: Any) -> dict[str, Any] | None:
            self.name, self.common, self.arguments, self.named = name, common, arguments, named
            if self.error is not None:
                raise self.error
            return self.result

        made.__dict__["run"] = run
        return made


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Called:
    calls = Called()
    for name in COMMANDS:
        monkeypatch.setitem(sys.modules, f"lunomm.commands.{name}", calls.module(name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.c, "export_options", lambda env: None)
    return calls


def test_the_documents_five_as_typed(called: Called) -> None:
    assert cli.run(["book", "XBTMYR"]) == 0
    assert (called.name, called.arguments) == ("book", (("XBTMYR",), BookOptions()))
    assert cli.run(["quote", "--gamma", "1", "--eta", "-0.005"]) == 0
    assert (called.name, called.arguments) == ("quote", (("XBTMYR",), QuoteOptions()))
    assert cli.run(["gateway"]) == 0
    assert (called.name, called.arguments) == ("gateway", (("XBTMYR",), GatewayOptions()))
    assert cli.run(["calibrate"]) == 0
    assert called.arguments[0] == ("XBTMYR",)
    assert cli.run(["status"]) == 0
    assert called.arguments == ((),)
    assert called.common is not None
    assert (called.common.mode, called.common.key) == ("sim", None)


def test_every_option_arrives(called: Called, tmp_path: Path) -> None:
    tape = tmp_path / "t.jsonl"
    tape.write_text("x")
    words = (
        "up xbtzar --order-size 0.5 --gamma=0 --eta -0.5 --min-spread 0.001 --order-refresh-rate-s 5 "
        "--filled-order-delay-s 6 --max-order-age-s 7 --horizon-s 8 --spread-formula readme --size-rule literal "
        "--reprice-at 0 --inventory-target 50% --kappa-prior 0.003 --min-size-policy skip "
        "--model glft --gamma-ref capital --target-skew 5bp --drift 0.1 --adverse-selection 2 --max-spread 0.02 "
        "--no-improve --ignore-fees --tolerance-ticks 3 --fair-price weighted --levels 3 --level-spacing 4 "
        "--update-balance-interval-s 3 --max-position 1 --max-order-value 2 --max-daily-loss 3 --vol-window 60 "
        f"--kappa-lookback 90 --vol-price vamp --depth 5 --tape {tape} --speed 2 --seed 9 --fee-tier 1 --json --for 150"
    )
    assert cli.run(words.split()) == 0
    pairs, options = called.arguments
    assert pairs == ("XBTZAR",)
    assert options == UpOptions(
        pairs=("XBTZAR",),
        tape=tape,
        speed=2.0,
        seed=9,
        fee_tier=1,
        quote=QuoteOptions(
            order_size=Decimal("0.5"),
            order_size_explicit=True,
            gamma=0.0,
            eta=-0.5,
            min_spread=0.001,
            order_refresh_rate_s=5.0,
            filled_order_delay_s=6.0,
            max_order_age_s=7.0,
            horizon_s=8.0,
            spread_formula="readme",
            size_rule="literal",
            reprice_at=0.0,
            inventory_target="50%",
            kappa_prior=0.003,
            min_size_policy="skip",
            model="glft",
            gamma_ref="capital",
            target_skew="5bp",
            drift=0.1,
            adverse_selection=2.0,
            max_spread=0.02,
            no_improve=True,
            ignore_fees=True,
            tolerance_ticks=3,
            fair_price="weighted",
            levels=3,
            level_spacing=4.0,
        ),
        gateway=GatewayOptions(3.0, Decimal(1), Decimal(2), Decimal(3)),
        book=BookOptions(60.0, 90.0, "vamp", 5),
    )
    assert called.common is not None
    assert (called.common.json, called.common.for_s) == (True, 150.0)


def test_variables_set_options_and_the_command_line_wins(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNOMM_GAMMA", "3")
    monkeypatch.setenv("LUNOMM_ETA", "")
    monkeypatch.setenv("LUNOMM_PAIR", "ethmyr")
    assert cli.run(["quote"]) == 0
    assert (called.arguments[0], called.arguments[1].gamma, called.arguments[1].eta) == (("ETHMYR",), 3.0, -0.005)
    assert cli.run(["quote", "XBTMYR", "--gamma", "2"]) == 0
    assert (called.arguments[0], called.arguments[1].gamma) == (("XBTMYR",), 2.0)
    monkeypatch.setenv("LUNOMM_GAMMA", "abc")
    assert cli.run(["quote"]) == 2


def test_a_dotenv_as_the_document_writes_it(monkeypatch: pytest.MonkeyPatch, called: Called, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    for name in COMMANDS:
        monkeypatch.setitem(sys.modules, f"lunomm.commands.{name}", called.module(name))
    for name in ("LUNOMM_GAMMA", "LUNOMM_MODE", "LUNO_KEY_ID", "LUNO_KEY_SECRET", "REDIS_HOST", "REDIS_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LUNOMM_GAMMA", "")
    (tmp_path / ".env").write_text(
        "LUNO_KEY_ID = \nLUNO_KEY_SECRET = \nREDIS_HOST = localhost\nREDIS_PORT = 6380\nLUNOMM_GAMMA = 4\n"
    )
    assert cli.run(["quote"]) == 0
    assert called.common is not None
    assert (called.common.mode, called.common.redis.port) == ("sim", 6380)
    assert called.arguments[1].gamma == 4.0


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["quotee"], 2, "Did you mean `lunomm quote`"),
        (["tape", "inf"], 2, "Did you mean 'info'? See `lunomm tape --help`"),
        (["nonsense-word"], 2, "lunomm --help"),
        (["quote", "--gama", "1"], 2, "--gama"),
        (["quote", "--gamma"], 2, "requires an argument"),
        (["quote", "--gamma", "nan"], 2, "--gamma"),
        (["quote", "--gamma", "inf"], 2, "--gamma"),
        (["quote", "--gamma", "-1"], 2, "--gamma"),
        (["quote", "--gamma", "1e400"], 2, "--gamma"),
        (["quote", "--gamma", "1_0"], 2, "not a plain number"),
        (["quote", "--gamma", "１"], 2, "not a plain number"),
        (["quote", "--gamma", "0x10"], 2, "not a plain number"),
        (["quote", "--gamma", "1,5"], 2, "not a plain number"),
        (["quote", "--order-size", "1e5"], 2, "not a plain amount"),
        (["quote", "--order-size", "NaN"], 2, "not a plain amount"),
        (["quote", "--size-rule", "other"], 2, "decay, literal"),
        (["quote", "--model", "other"], 2, "as, glft"),
        (["quote", "--gamma-ref", "other"], 2, "lot, capital, absolute"),
        (["quote", "--levels", "0"], 2, "--levels"),
        (["quote", "--levels", "-1"], 2, "--levels"),
        (["quote", "--levels", "1.5"], 2, "not a whole number"),
        (["quote", "--levels", "1000000"], 2, "--levels"),
        (["quote", "--level-spacing", "0"], 2, "--level-spacing"),
        (["quote", "--eta", "text"], 2, "not a plain number"),
        (["quote", "--horizon-s", "1e12"], 2, "--horizon-s"),
        (["quote", "--kappa-prior", "0"], 2, "--kappa-prior"),
        (["quote", "--kappa-prior", "-1"], 2, "--kappa-prior"),
        (["quote", "--max-spread", "0.001", "--min-spread", "0.01"], 2, "below --min-spread"),
        (["quote", "--spread-formula", "other"], 2, "paper, readme"),
        (["quote", "XBTMYR", "XBTZAR"], 2, "argument"),
        (["quote", "BTC/ZAR"], 2, "Did you mean XBTZAR"),
        (["quote", "--mode", "live"], 3, "LUNO_KEY_ID and LUNO_KEY_SECRET"),
        (["quote", "--mode", "elsewhere"], 2, "--mode"),
        (["quote", "--for", "0"], 2, "--for"),
        (["book", "XBTZAR\x1b[2J"], 2, "unknown pair"),
        (["book", "--tape", "none-such"], 2, "no such file"),
        (["book", "--depth", "1.5"], 2, "not a whole number"),
        (["exchange", "--port", "99999"], 2, "--port"),
        (["exchange", "--port", "abc"], 2, "--port"),
        (["gateway", "--secret", "x"], 2, "--secret. Everybody on this machine can read a command line"),
        (["up", "--luno-key-secret=x"], 2, "LUNO_KEY_ID, LUNO_KEY_SECRET, mode 600"),
        (["up", "--max-position", "-1"], 2, "--max-position"),
    ],
)
def test_wrong_command_lines_are_one_line(
    called: Called, capsys: pytest.CaptureFixture[str], argv: list[str], code: int, words: str
) -> None:
    assert cli.run(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lunomm: ")
    assert err.count("\n") == 1
    assert words in err
    assert "\x1b" not in err
    assert called.name == ""


def test_live_needs_size_and_limits(
    called: Called, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNO_KEY_ID", "k")
    monkeypatch.setenv("LUNO_KEY_SECRET", "s3cret")
    assert cli.run(["quote"]) == 0
    assert called.common.mode == "paper"
    assert cli.run(["quote", "--mode", "live"]) == 3
    err = capsys.readouterr().err
    assert "--order-size not given" in err
    assert "s3cret" not in err
    assert cli.run(["quote", "--mode", "live", "--order-size", "0.001"]) == 0
    assert cli.run(["status"]) == 0
    assert cli.run(["exchange"]) == 0


@pytest.mark.parametrize(
    ("error", "code", "name"),
    [
        (BusError("Redis is away"), 4, "BUS"),
        (RefusedError("no", code="VENUE_DIFFERS"), 5, "VENUE_DIFFERS"),
        (InstanceError("held"), 6, "INSTANCE"),
        (OrdersMayBeLive("look", ["BX1", "BX2"]), 8, "ORDERS_MAY_BE_LIVE"),
        (ExceptionGroup("several", [BusError("a"), ExceptionGroup("x", [InstanceError("b")])]), 6, "INSTANCE"),
    ],
)
def test_errors_of_commands(
    called: Called, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, name: str
) -> None:
    called.error = error
    assert cli.run(["book", "--json"]) == code
    out, err = capsys.readouterr()
    body = json.loads(out)
    assert (body["v"], body["command"], body["error"]["code"]) == (1, "book", name)
    assert body["error"]["exit_code"] == code
    assert err.count("\n") == 1
    if code == 8:
        assert body["error"]["order_ids"] == ["BX1", "BX2"]
        assert "BX1 BX2" in err
    assert cli.run(["book", "--debug"]) == code
    assert "lunomm.errors." in capsys.readouterr().err


def test_an_error_cannot_forge_a_second_line(called: Called, capsys: pytest.CaptureFixture[str]) -> None:
    called.error = BusError("evil\nlunomm: all is well\x1b[2J" + "x" * 10_000)
    assert cli.run(["book"]) == 4
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err
    assert len(err) < 700


def test_results_are_enveloped(called: Called, capsys: pytest.CaptureFixture[str]) -> None:
    called.result = {"fills": 1, "pnl": Decimal("1.50"), "unknown": None}
    assert cli.run(["up", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "v": 1,
        "command": "up",
        "data": {"fills": 1, "pnl": "1.50", "unknown": None},
    }
    assert cli.run(["up"]) == 0
    assert capsys.readouterr().out == ""


def test_ctrl_c_before_a_piece_is_up_is_done(called: Called, capsys: pytest.CaptureFixture[str]) -> None:
    called.error = KeyboardInterrupt()
    assert cli.run(["down"]) == 0
    assert capsys.readouterr().err == ""


def test_a_crash_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["lunomm", "book"])
    cli.crash(ValueError, ValueError("bad\nthing"), None)
    err = capsys.readouterr().err
    assert err == "lunomm: internal error: ValueError: bad thing. Run again with --debug and report what it shows.\n"


def test_help_lists_every_command_and_option() -> None:
    runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    shown = runner.invoke(cli.app, ["--help"]).stdout
    for name in COMMANDS:
        assert name in shown
        assert "--json" in runner.invoke(cli.app, [name, "--help"]).stdout
    assert "LUNOMM_GAMMA" in runner.invoke(cli.app, ["quote", "--help"]).stdout
    assert runner.invoke(cli.app, []).exit_code == 2
    assert runner.invoke(cli.app, ["--version"]).stdout.startswith("lunomm ")


def test_every_setting_is_explained() -> None:
    import inspect

    example = (Path(__file__).parents[2] / ".env.example").read_text()
    named = {line.split("=")[0].strip() for line in example.splitlines() if line and not line.startswith("#")}
    options = {
        cli_options._env(name)
        for line in inspect.getsource(cli_options).splitlines()
        # Without a variable behind them: those of `simulate` and the like, and typer's own spelled out.
        if line[:1].isupper() and "Annotated[" in line and '"--' in line and "_bare(" not in line
        if "typer.Option(" not in line
        for name in [line.split('"')[1]]
    }
    services = {"LUNO_KEY_ID", "LUNO_KEY_SECRET", "REDIS_HOST", "REDIS_PORT", "LUNOMM_REDIS_URL", "LUNOMM_STATE_DIR"}
    services |= {"LUNO_GUARDIAN_KEY_ID", "LUNO_GUARDIAN_KEY_SECRET", "LUNOMM_BUS_KEY"}
    services |= {"LUNOMM_WEBHOOK_URL"}
    services |= {"LUNOMM_REDIS_CA", "LUNOMM_REDIS_CERT", "LUNOMM_REDIS_CERT_KEY"}
    assert named == options | services | {"LUNOMM_REDIS_SERVER", "LUNOMM_PAIR"}
    assert len(options) > 30


def test_exchange_and_down(called: Called) -> None:
    assert cli.run(["exchange", "xbtzar", "--seed", "5", "--profile", "theory", "--port", "9000"]) == 0
    assert called.arguments == (ExchangeOptions(9000, 5, "theory", ("XBTZAR",)),)
    assert cli.run(["down", "--force"]) == 0
    assert called.named == {"force": True}


def test_exchange_switches_and_accounts(called: Called, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--behaviour", "self_trade=no", "--behaviour", "cancel_gone=404", "--account", "ann:pw:33"]
    assert cli.run(["exchange", *args]) == 0
    (options,) = called.arguments
    assert options == ExchangeOptions(behaviour=("self_trade=no", "cancel_gone=404"), accounts=("ann:pw:33",))
    assert "pw" not in repr(options)
    assert cli.run(["exchange", "--behaviour", "list"]) == 0
    assert "shuffle_messages" in capsys.readouterr().out
