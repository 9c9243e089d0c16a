"""What the README says is run: its Python blocks, its commands, its names of channels, options and exit codes."""

from __future__ import annotations

import math
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from terminals import Desk, wait_until

from lunomm.bus.channels import ALL, LEASE
from lunomm.commands.fair_function import resolve
from lunomm.errors import LunommError
from lunomm.quoting.avellaneda_stoikov import evaluate
from lunomm.quoting.fair_price import SAMPLE

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def run_block(desk: Desk, code: str) -> subprocess.Popen[str]:
    script = desk.folder / f"block{len(desk.children)}.py"
    script.write_text(code)
    child = subprocess.Popen(
        [sys.executable, "-u", script.name],
        cwd=desk.folder,
        env=desk.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    desk.children.append(child)
    return child


def test_the_documents_snippet_and_a_subscriber(desk: Desk) -> None:
    _, snippet, subscriber = BLOCKS
    book = run_block(desk, snippet)
    bus = redis.Redis(port=desk.redis_port)

    def ticking() -> bool:
        try:
            return bus.exists("LOB::XBTMYR") == 1
        except redis.ConnectionError:
            return False

    wait_until(ticking, 40, "the snippet's book publishes")
    bus.close()
    listener = run_block(desk, subscriber)
    assert listener.stdout is not None
    bid, mid, ask, vamp, daily = listener.stdout.readline().split()
    assert float(bid) < float(mid) < float(ask)
    assert float(vamp) > 0
    assert daily == "None" or 0 < float(daily) < 100
    listener.kill()
    listener.communicate()
    book.send_signal(signal.SIGINT)
    out, err = book.communicate(timeout=15)
    assert book.returncode == 0, out + err


def test_the_fair_price_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaning.py").write_text(BLOCKS[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "lunomm quote --fair-price leaning:fair" in README
    fair = resolve("leaning:fair")
    assert fair(SAMPLE) == SAMPLE.mid
    assert fair(replace(SAMPLE, imbalance=1.0)) == SAMPLE.mid + 0.25 * (SAMPLE.best_ask - SAMPLE.best_bid)
    assert fair(replace(SAMPLE, imbalance=None)) is None


def test_every_channel_is_documented() -> None:
    for channel in ALL:
        name = channel.name if not channel.paired else f"{channel.name}::<"
        assert f"`{name}" in README, channel.name
        fields = [f for f in channel.type.__struct_fields__ if f not in ("v", "pair", "venue", "build")]
        if channel.name in ("ORDER_UPDATES", "ORDERS", "FILLS", "ACCOUNT", "LOB"):
            missing = [f for f in fields if f"`{f}`" not in README and f not in ("orders", "levels")]
            assert not missing, (channel.name, missing)
    assert f"`{LEASE}::<" in README


def every_error(root: type[LunommError]) -> set[int]:
    return {root.exit_code}.union(*(every_error(kind) for kind in root.__subclasses__()))


def test_every_exit_code_is_documented() -> None:
    for code in every_error(LunommError):
        assert re.search(rf"^\| {code} \|", README, re.MULTILINE), code


@pytest.mark.parametrize("command", ["book", "quote", "gateway", "calibrate"])
def test_every_option_of_the_pieces_is_documented(desk: Desk, command: str) -> None:
    wide = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    shown = desk.run(command, "--help", env=wide)
    assert shown.code == 0
    options = set(re.findall(r"(--[a-z][a-z-]+)", shown.out)) - {"--help"}
    assert len(options) > 5
    assert not {name for name in options if f"`{name}" not in README and f"{name}" not in README}


def test_the_settings_of_the_example_exist_and_stay_empty() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    names = [line.split("=")[0].strip() for line in lines if line and not line.startswith("#")]
    assert {"LUNO_KEY_ID", "LUNO_KEY_SECRET", "REDIS_HOST", "REDIS_PORT"} <= set(names)
    source = "".join(path.read_text() for path in (ROOT / "lunomm").rglob("*.py"))
    options = set(re.findall(r"LUNOMM_[A-Z_]+", source))
    assert all(not line.split("=")[1].strip() for line in lines if "=" in line and not line.startswith("#"))
    assert [name for name in names if name.startswith("LUNOMM_") and name not in options and not _an_option(name)] == []


def _an_option(name: str) -> bool:
    """LUNOMM_ORDER_SIZE is made from --order-size."""
    option = "--" + name.removeprefix("LUNOMM_").lower().replace("_", "-")
    return option in (ROOT / "lunomm" / "cli_options.py").read_text() + (ROOT / "lunomm" / "cli.py").read_text()


def test_the_worked_example() -> None:
    """The figures in the text, computed from the inputs in the text by the code that quotes."""
    text = " ".join(README[README.index("Worked example:") :].split("\n\n")[0].split())
    fair = float(_found(r"s = ([0-9,]+) MYR", text))
    sigma = float(_found(r"σ = ([0-9.]+) % a day", text)) / 100 / math.sqrt(86_400)
    kappa = 1 / (float(_found(r"1/κ = ([0-9.]+) bp", text)) * 1e-4 * fair)
    gamma = float(_found(r"γ = ([0-9.]+)", text))
    flat, long = (
        evaluate(fair=fair, n=n, gamma=gamma, sigma_relative=sigma, kappa=kappa, tau=86_400.0) for n in (0.0, 1.0)
    )
    assert fair - long.reservation == pytest.approx(float(_found(r"shift ([0-9.]+) MYR", text)), abs=0.05)
    assert 2 * flat.half_spread == pytest.approx(float(_found(r"spread ([0-9.]+) MYR", text)), abs=0.05)
    quoted = re.findall(r"([0-9]{3},[0-9]{3}) / ([0-9]{3},[0-9]{3})", text)
    expected = [(m.reservation - m.half_spread, m.reservation + m.half_spread) for m in (flat, long)]
    assert [tuple(int(x.replace(",", "")) for x in pair) for pair in quoted] == [
        (math.floor(bid), math.ceil(ask)) for bid, ask in expected
    ]


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, pattern
    return match[1].replace(",", "")
