"""The calculator as typed: its keys, its refusals, and nothing but the command line."""

from __future__ import annotations

import json

import pytest

from lunomm import cli

LINE = (
    "explain --fair 300000 --tick 1 --lot-step 0.000001 --min-size 0.0005 --sigma-daily 2.5 --inv-kappa-bp 10 "
    "--intensity 0.0333 --inventory 0.002 --target 0 --order-size 0.002 --gamma 1 --gamma-ref lot --capital 1 "
    "--horizon 86400 --eta -0.005 --size-rule decay --model as --spread-formula paper --maker-fee 0 --min-spread 0 "
    "--best-bid 299990 --best-ask 300010 --free-base 1 --free-quote 100000 --max-position 0.02"
)
WORDS = LINE.split()


def data(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert cli.run([*words, "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["v"], body["command"]) == (1, "explain")
    found: dict[str, object] = body["data"]
    return found


def test_every_option_and_key(capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, *WORDS)
    assert (found["bid"], found["ask"], found["ask_size"]) == ("299418", "300207", "0.002000")
    assert found["reservation"] == pytest.approx(299_812.5)
    assert found["spread"] == pytest.approx(787.2002, abs=1e-4)
    assert found["shift_bp_per_lot"] == pytest.approx(6.25)
    assert (found["c"], found["kappa_c"]) == (None, None)
    assert found["reasons"] == {"bid": None, "ask": None}
    steps = found["decomposition"]
    assert isinstance(steps, dict)
    names = ["fair", "skew", "risk", "intensity", "fee", "min_spread", "clamp", "rounding"]
    assert [step["step"] for step in steps["bid"]] == [step["step"] for step in steps["ask"]] == names
    assert steps["bid"][-1]["price"] == 299_418
    total = sum(step["bp"] for step in steps["bid"])
    assert total == pytest.approx(1e4 * (299_418 / 300_000 - 1))


def test_no_setting_changes_a_figure(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = data(capsys, *WORDS)
    for name, value in (("GAMMA", "7"), ("MODEL", "glft"), ("MAKER_FEE", "3"), ("ETA", "x"), ("MODE", "nowhere")):
        monkeypatch.setenv(f"LUNOMM_{name}", value)
    monkeypatch.setenv("REDIS_PORT", "1")
    assert data(capsys, *WORDS) == plain


def test_no_improve_and_glft(capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, *WORDS, "--no-improve", "--model", "glft", "--target-skew", "1bp", "--drift", "0.01")
    assert found["kappa_c"] is not None
    assert found["method"] in ("closed form", "eigenvector")


def test_it_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*WORDS, "--free-base", "0"]) == 0
    shown = capsys.readouterr().out
    assert "NO_BALANCE" in shown
    assert "inventory skew" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gamma", "nan"], "--gamma"),
        (["--gamma", "inf"], "--gamma"),
        (["--gamma", "-1"], "gamma"),
        (["--gamma", "1e400"], "gamma"),
        (["--eta", "steep"], "--eta"),
        (["--inv-kappa-bp", "0"], "--inv-kappa-bp"),
        (["--inv-kappa-bp", "-10"], "--inv-kappa-bp"),
        (["--sigma-daily", "0"], "--sigma-daily"),
        (["--horizon", "1e15"], "units"),
        (["--model", "best"], "as, glft"),
        (["--gamma-ref", "?"], "lot, capital, absolute"),
        (["--model", "glft", "--spread-formula", "readme"], "readme"),
        (["--drift", "1"], "--model glft"),
        (["--max-spread", "0.001", "--min-spread", "0.01"], "max_spread"),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert cli.run([*WORDS, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["explain", "--fair", "300000", "--inv-kappa-bp", "10"]) == 2
    assert "--sigma-daily not given" in capsys.readouterr().err
