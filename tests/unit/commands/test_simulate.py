"""``lunomm simulate`` as typed: its JSON, its refusals, its plot; nothing in the environment changes a figure."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lunomm import cli

FIGURES = ("average_spread", "profit", "std_profit", "final_q", "std_final_q", "certainty_equivalent")


def ran(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, object]:
    assert cli.run(["simulate", *args, "--json"]) == 0
    envelope = json.loads(capsys.readouterr().out)
    assert (envelope["v"], envelope["command"]) == (1, "simulate")
    return envelope["data"]


def test_all_three_strategies_with_their_errors(capsys: pytest.CaptureFixture[str]) -> None:
    data = ran(capsys)
    assert [row["strategy"] for row in data["rows"]] == ["inventory", "symmetric", "glft"]
    for row in data["rows"]:
        assert set(row) == {"strategy", *FIGURES, *(f"{name}_se" for name in FIGURES)}
    assert data["parameters"]["runs"] == 1000 and data["parameters"]["fills"] == "linear"


def test_the_environment_changes_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = ran(capsys, "--runs", "50")
    for name, value in {"GAMMA": "7", "SEED": "9", "RUNS": "60", "STRATEGY": "glft", "FILLS": "poisson"}.items():
        monkeypatch.setenv(f"LUNOMM_{name}", value)
    assert ran(capsys, "--runs", "50") == before


def test_names_of_the_paper_and_plain_ones(capsys: pytest.CaptureFixture[str]) -> None:
    paper = ran(capsys, "--s", "50", "--T", "2", "--A", "100", "--k", "2", "--runs", "20", "--strategy", "symmetric")
    plain = ran(capsys, "--price", "50", "--horizon", "2", "--intensity", "100", "--kappa", "2", "--runs", "20",
                "--strategy", "symmetric")  # fmt: skip
    assert paper == plain


@pytest.mark.parametrize(
    "args",
    [
        ("--gamma", "nan"),
        ("--gamma", "-1"),
        ("--gamma", "1e400"),
        ("--kappa", "0"),
        ("--dt", "0"),
        ("--dt", "2"),
        ("--runs", "1"),
        ("--runs", "1e3"),
        ("--runs", "9000000"),
        ("--sigma", "inf"),
        ("--fills", "bernoulli"),
        ("--strategy", "martingale"),
        ("--seed", "-1"),
    ],
)
def test_what_cannot_be_simulated_is_a_usage_error(capsys: pytest.CaptureFixture[str], args: tuple[str, str]) -> None:
    assert cli.run(["simulate", *args]) == 2
    said = capsys.readouterr().err
    assert args[0].split("=")[0] in said and "Traceback" not in said


def test_extremes_end_in_figures_or_a_clear_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    for args in (("--gamma", "0"), ("--gamma", "1e-12"), ("--gamma", "1000"), ("--sigma", "0"), ("--A", "0")):
        code = cli.run(["simulate", *args, "--runs", "20", "--json"])
        told = json.loads(capsys.readouterr().out)
        if code == 0:
            for row in told["data"]["rows"]:
                assert all(isinstance(row[name], float) and abs(row[name]) < 1e12 for name in FIGURES), (args, row)
        else:
            assert code == 1 and told["error"]["code"] == "MODEL"


def test_a_plot_is_a_picture_and_a_bad_place_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "run.svg"
    ran(capsys, "--runs", "5", "--plot", str(file))
    drawn = ElementTree.parse(file).getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) >= 5
    assert cli.run(["simulate", "--runs", "5", "--plot", str(tmp_path / "nowhere" / "x.svg")]) == 2
    assert "--plot" in capsys.readouterr().err
