"""What the README says is run: its Python blocks, its commands, its names of channels, options and exit codes."""

from __future__ import annotations

import math
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
from terminals import Desk, wait_until

from lunomm import cli, config
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


def commands() -> dict[str, Any]:
    """Every command by its name, `tape info` and the like included."""
    found: dict[str, Any] = {}

    def walk(command: Any, name: str) -> None:
        below = getattr(command, "commands", None)
        if below is None:
            found[name] = command
            return
        for word, each in below.items():
            walk(each, f"{name} {word}".strip())

    walk(typer.main.get_command(cli.app), "")
    return found


def options_of(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")}


def test_every_command_and_every_option_is_documented() -> None:
    known = commands()
    assert {"book", "quote", "gateway", "calibrate", "status", "doctor", "tape verify"} <= known.keys()
    for name, command in known.items():
        row = f"`{name}" if " " not in name else name.split()[1]
        assert row in README, name
        missing = [each for each in options_of(command) if not re.search(re.escape(each) + r"(?![a-z-])", README)]
        assert not missing, (name, missing)


def test_every_variable_that_is_no_option_is_documented() -> None:
    source = "".join(path.read_text() for path in (ROOT / "lunomm").rglob("*.py"))
    read = set(re.findall(r'"((?:LUNO|REDIS)_[A-Z_]+)"', source)) | set(config.VARIABLES)
    missing = read - {config.SUPERVISED, config.ARGUMENTS_ONLY} - set(re.findall(r"`([A-Z_]+)`", README))
    assert not missing


# --- the blocks ----------------------------------------------------------------------------------------------------

ELSEWHERE = {
    "lunomm doctor": "integration/test_doctor_command.py",
    "lunomm doctor --live": "integration/test_doctor_command.py",
    "lunomm up --mode paper": "integration/test_paper_exchange.py",
    "lunomm book XBTMYR": "e2e/test_five_terminals.py",
    "lunomm quote --gamma 1 --eta -0.005": "e2e/test_five_terminals.py",
    "lunomm gateway": "e2e/test_five_terminals.py",
    "lunomm calibrate": "e2e/test_five_terminals.py",
    "lunomm status": "e2e/test_five_terminals.py",
    "lunomm quote --fair-price leaning:fair": "e2e/test_readme.py",
    "lunomm up XBTMYR --mode live --order-size 0.0005 --max-position 0.002 --max-order-value 200 --max-daily-loss 20": (
        "e2e/test_typed_refusals.py"
    ),
    'lunomm resume --reason "the deposit has arrived"': "integration/test_resume_command.py",
    "lunomm backtest tape.jsonl.gz --order-size 0.002 --gamma 1 --html report.html": (
        "unit/commands/test_backtest_command.py"
    ),
    "lunomm backtest tape.jsonl.gz --sweep gamma=0.3,1,3 --sweep eta=-0.005,-0.5 --walk-forward 4 --out sweep.csv": (
        "unit/commands/test_sweep_command.py"
    ),
}
"""Lines of blocks that another test runs, as they stand or at a market of its own."""

NOT_RUN = {
    "bash scripts.sh": "makes an environment of its own; what it then starts, lunomm up, is run by test_up.py",
    "bash scripts.sh test": "is what runs this test",
    ". .venv/bin/activate": "the tests have their environment",
    "bash scripts.sh soak --seeds 500 --seed-from 0": "hours; tests/campaign runs a hundred shorter seeds",
    "bash scripts.sh soak replay 123 --only trade": "minutes; the campaign's own tests replay seeds",
    "bash scripts.sh soak day": "a quarter of an hour; tests/integration/test_day_of_flow.py runs five minutes of it",
    "bash scripts.sh soak paper --seeds 20000": "hours; tests/campaign/test_paper_truth.py runs 32 seeds",
}
"""Lines that no test runs, and why."""

RUN = {
    "lunomm explain --fair 300000 --tick 1 --min-size 0.0005 --sigma-daily 2.5 --inv-kappa-bp 10 --order-size 0.002 "
    "--inventory 0.002": (),
    "lunomm exchange XBTMYR --fault market-drop:probability=0.001 "
    "--fault black-hole:call=postorder,when=after,count=3": ("--for", "1"),
}
"""Lines run here, and what is added so that they end."""


def lines_of_blocks() -> list[str]:
    """Every command of a block, without its comment."""
    fences = re.findall(r"^ *```(\w*)\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)
    fenced = [text for language, text in fences if language in ("", "sh")]
    indented = re.findall(r"^    (?:lunomm|bash) .*$", README, re.MULTILINE)
    lines = [line.strip() for line in [*"\n".join(fenced).splitlines(), *indented]]
    return [re.split(r"\s{2,}#", line)[0] for line in lines if re.match(r"(lunomm|bash|\.) ", line)]


def test_every_line_of_a_block_is_run_or_says_why_not(desk: Desk) -> None:
    lines = lines_of_blocks()
    assert sorted(set(lines)) == sorted({*ELSEWHERE, *NOT_RUN, *RUN})
    for line, path in ELSEWHERE.items():
        assert shlex.split(line)[1] in (ROOT / "tests" / path).read_text(), line
    for line, more in RUN.items():
        done = desk.run(*shlex.split(line)[1:], *more)
        assert done.code == 0 and done.out, done.err


def test_every_command_that_is_named_can_be_typed() -> None:
    """In blocks and in the text: the command exists, and has every option that is said with it."""
    known = commands()
    named = [*lines_of_blocks(), *re.findall(r"`(lunomm [^`]+)`", README)]
    assert len(named) > 40
    for line in named:
        words = line.replace("\\|", "|").split()
        if words[0] != "lunomm" or words[1].startswith("-") or words[1].isupper():
            continue
        name = " ".join(words[1:3]) if words[1] == "tape" and len(words) > 2 else words[1]
        if name == "tape":
            continue
        assert name in known, line
        said = {word.partition("=")[0] for word in words[2:] if re.match(r"--[a-z]", word)}
        assert said - options_of(known[name]) - {"--help"} == set(), line


def test_every_link_within_and_every_picture_is_there() -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for link in re.findall(r"\]\(#([^)]+)\)", README):
        assert link in anchors, link
    for path in re.findall(r"\]\((?!#|https?:)([^)]+)\)|src=\"([^\"]+)\"", README):
        assert (ROOT / (path[0] or path[1])).is_file(), path


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
