"""`lunomm tape` as typed: what comes out, and with which exit code."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lunomm import cli
from lunomm.tape.reader import read_tape

TAPE = Path(__file__).parents[2] / "data" / "sim-xbtmyr-theory-seed7-60s.jsonl.gz"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, the JSON lines and the errors."""
    code = cli.run([*map(str, words), "--json"])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def test_info_and_verify(capsys: pytest.CaptureFixture[str]) -> None:
    code, (line,), _ = run(capsys, "tape", "info", TAPE)
    assert (code, line["v"], line["command"]) == (0, 1, "tape info")
    data = line["data"]
    assert (data["pair"], data["verdict"], data["frames"], data["fills"], data["taker_orders"]) == (
        "XBTMYR", "WHOLE", 1086, 69, 11,
    )  # fmt: skip
    code, (line,), _ = run(capsys, "tape", "verify", TAPE)
    assert code == 0 and set(line["data"]["counts"].values()) == {0} and line["data"]["troubles"] == []
    assert cli.run(["tape", "info", str(TAPE)]) == 0 and cli.run(["tape", "verify", str(TAPE)]) == 0
    out, _ = capsys.readouterr()
    assert out.count("● WHOLE") == 2 and "1,086" in out


def test_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = gzip.decompress(TAPE.read_bytes()).splitlines(keepends=True)

    def judged(kept: list[bytes], cut: int = 0) -> tuple[int, str]:
        path = tmp_path / "t.jsonl.gz"
        whole = gzip.compress(b"".join(kept))
        path.write_bytes(whole[: len(whole) - cut])
        code, (line,), _ = run(capsys, "tape", "verify", path)
        cli.run(["tape", "verify", str(path)])
        shown = capsys.readouterr().out
        assert line["data"]["verdict"] in shown
        return code, line["data"]["verdict"]

    lost = b'{"recv_ns":%d,"lost":"gone"}\n' % (json.loads(lines[-1])["recv_ns"] + 1)
    assert judged(lines) == (0, "WHOLE")
    assert judged(lines, cut=50) == (0, "CUT")
    assert judged([*lines, lost]) == (0, "GAPS")
    assert judged([*lines[:500], *lines[501:]]) == (1, "DAMAGED")


def test_cut_merge_and_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    halves = []
    for name, window in (("a", ("--to", "+30")), ("b", ("--from", "+30"))):
        code, (line,), _ = run(capsys, "tape", "cut", TAPE, *window, "-o", tmp_path / name)
        assert (code, line["command"], line["data"]["notes"]) == (0, "tape cut", [])
        halves.append(line["data"]["out"])
    code, (line,), _ = run(capsys, "tape", "merge", *halves, "-o", tmp_path / "ab")
    assert (code, line["data"]["about"]["frames"], line["data"]["about"]["gaps"]) == (0, 1086, 0)
    assert read_tape(Path(line["data"]["out"])).frames == 1086
    out = tmp_path / "events.npz"
    code, (line,), _ = run(capsys, "tape", "export", "--format", "hftbacktest", TAPE, "-o", out)
    with np.load(out) as read:
        assert code == 0 and len(read["data"]) == line["data"]["events"] > 1086
    for words in (
        ("merge", *halves, "-o", tmp_path / "n"),
        ("export", TAPE, "--format", "hftbacktest", "-o", tmp_path / "m"),
    ):
        assert cli.run(["tape", *map(str, words)]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("info", "none"), "TAPE_MISSING"),
        (("info", "{plain}"), "TAPE_PAIR"),
        (("info", "{tape}", "--pair", "ETHMYR"), "TAPE_PAIR"),
        (("verify", "{tape}", "{tape}"), "TAPE_OVERLAP"),
        (("merge", "{tape}", "-o", "{out}"), "TAPE_MERGE"),
        (("merge", "{tape}", "{tape}", "-o", "{out}"), "TAPE_OVERLAP"),
        (("cut", "{tape}", "--from", "soon", "-o", "{out}"), "USAGE"),
        (("cut", "{tape}", "--from", "+900", "-o", "{out}"), "TAPE_WINDOW"),
        (("cut", "{tape}", "-o", "{tape}"), "EXISTS"),
        (("export", "{tape}", "--format", "other", "-o", "{out}"), "FORMAT"),
        (("export", "{tape}", "--format", "hftbacktest", "-o", "{tape}"), "EXISTS"),
        (("export", "{tape}", "--format", "hftbacktest", "-o", "no/where"), "NOT_WRITTEN"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: str
) -> None:
    plain = tmp_path / "plain.jsonl"
    plain.write_text('{"sequence":"1","asks":[],"bids":[],"status":"ACTIVE","timestamp":1}\n')
    before = TAPE.read_bytes()
    typed = [word.format(tape=TAPE, plain=plain, out=tmp_path / "out") for word in words]
    exit_code, lines, err = run(capsys, "tape", *typed)
    assert exit_code == 2 and len(lines) == 1 and lines[0]["error"]["code"] == code, (lines, err)
    assert TAPE.read_bytes() == before and not list(tmp_path.glob("out*"))


def test_a_mistyped_group_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["tapes"]) == 2
    assert "lunomm tape" in capsys.readouterr().err


def test_what_is_inside_a_group_is_no_command_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["info", str(TAPE)]) == 2
    assert "no such command: 'info'" in capsys.readouterr().err
