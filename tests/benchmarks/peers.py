"""Other people's order books on the same recorded frames: each by its own code, in its own Python, in turn with ours.

``bash scripts.sh compat peers`` makes their environments. One that is not there is told by name, and nothing is said of
it. Each says the best prices it saw at every update, and those must be ours: a book that is fast and wrong is no peer.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
from harness import Outcome, Skipped, Subject, ratio, side_by_side, spread
from recorded import FOLDER, NAME, PAIR, recording

from lunomm.market.rules import PairRules
from lunomm.tape.hftbacktest import Exporter, write_npz
from lunomm.tape.reader import read_tape

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).with_name("peer_books")
ROUNDS = 7
COLD_ROUNDS = 5
FEW = 200
"""Updates of a peer that takes milliseconds for each."""

WORK = (
    "decode, apply, best bid and ask after every update of the recorded XBTZAR stream (5,000 on 15,172 orders), "
    "processor time an update; and a cold process to the best prices of the snapshot"
)
LEAVES_OUT = (
    "sockets and event loops, waking who waits; the snapshot is loaded before the clock starts; our fields beyond the "
    "best prices (book_hot_path has them)"
)


@dataclass(frozen=True)
class Peer:
    """One peer: the environment it needs, its script, and what its figure does not hold."""

    name: str
    package: str
    environment: str
    script: str
    leaves_out: str

    @property
    def python(self) -> Path:
        return ROOT / self.environment / "bin" / "python"


PEERS = (
    Peer(
        "luno-python", "luno-python", ".venv-compat", "of_luno_python.py",
        f"nothing of its own: `stream_market` sorts every order for each callback; the first {FEW} updates only",
    ),
    Peer(
        "ccxt.pro", "ccxt", ".venv-compat", "of_ccxt.py",
        "the future it wakes; its message handlers (book and trades) and `limit()`, as `watch_order_book` calls it",
    ),
    Peer(
        "nautilus_trader", "nautilus_trader", ".venv-compat-nautilus", "of_nautilus.py",
        "its engine, message bus and cache: only its L3 book, from Python, by an adapter written for this (it has none "
        "for Luno); no check of the sequence",
    ),
    Peer(
        "hftbacktest", "hftbacktest", ".venv-compat-hftbacktest", "of_hftbacktest.py",
        "decoding: its events are converted before the clock starts; Python: the loop is compiled; no checks. Updates "
        "of one millisecond are one step",
    ),
)  # fmt: skip


class Worker:
    """A peer's process, and the figures of its rounds."""

    def __init__(self, process: subprocess.Popen[str], said: Path) -> None:
        self._process, self._said = process, said

    def ask(self, word: str) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args}: ended: {self._said.read_text()[-400:]}")
        return json.loads(line)


@contextmanager
def worker(command: list[str], folder: Path) -> Iterator[Worker]:
    said = folder / f"{Path(command[1]).stem}.log"
    with (
        said.open("w") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            yield Worker(process, said)
        finally:
            process.kill()


def run() -> Outcome:
    rules, frames = recording()
    here = [peer for peer in PEERS if peer.python.exists()]
    absent = {peer.name: "skipped: not here; bash scripts.sh compat peers" for peer in PEERS if peer not in here}
    if not here:
        raise Skipped("no peer is here: bash scripts.sh compat peers")
    with tempfile.TemporaryDirectory(prefix="lunomm-bench-") as name, ExitStack() as running:
        commands = {"lunomm": _ours(Path(name), rules)}
        commands |= {peer.name: _command(peer, Path(name), rules) for peer in here}
        workers = {each: running.enter_context(worker(words, Path(name))) for each, words in commands.items()}
        ours = workers["lunomm"].ask("tops")
        figures: dict[str, Any] = {}
        for peer in here:
            same, of = agreement(workers[peer.name].ask("tops"), ours, _times(frames))
            version = _version(peer)
            figures[f"{peer.name} {version}"] = (
                f"best prices as ours after {same:,} of {of:,} updates; leaves out {peer.leaves_out}"
            )
        found = _rounds(workers)
        cold = side_by_side(
            {each: _cold(_once(words, Path(name), frames[0])) for each, words in commands.items()},
            rounds=COLD_ROUNDS,
            clock=_children_cpu_s,
        )
    times = {name: spread(values) for name, values in found.items()}
    times |= {f"{name}, cold start": spread(values) for name, values in cold.items()}
    ratios = {f"lunomm / {peer.name}": ratio(found["lunomm"], found[peer.name]) for peer in here}
    ratios |= {f"cold start: lunomm / {peer.name}": ratio(cold["lunomm"], cold[peer.name]) for peer in here}
    return Outcome(
        "peers", WORK, LEAVES_OUT, times, ratios, figures | absent, wanted={f"lunomm / {peer.name}": 1 for peer in here}
    )


def _rounds(workers: Mapping[str, Worker]) -> dict[str, list[float]]:
    """Microseconds an update, in an order that turns with the round; the first does not count."""
    names = list(workers)
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(ROUNDS + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            took = workers[name].ask("round")["us"]
            if number:
                found[name].append(took)
    return found


def agreement(theirs: list[list[float]], ours: list[list[float]], times: list[int]) -> tuple[int, int]:
    """After how many updates both saw the same best bid and ask, of how many.

    theirs: a row an update, or with a third number, ns, a row a moment. times: of our updates, ms.
    """
    last = {at * 1_000_000: top for at, top in zip(times, ours, strict=True)}
    same = 0
    for row, mine in zip(theirs, ours, strict=False):
        if len(row) == 3:
            mine = last[int(row[2])]
        # A price that passed through another library's floats is the same price to a millionth.
        same += [round(price, 6) for price in row[:2]] == mine
    return same, len(theirs)


def _times(frames: list[str]) -> list[int]:
    """Of each update, never going back: hftbacktest's format knows no other."""
    return list(accumulate((json.loads(raw)["timestamp"] for raw in frames[1:]), max))


def _ours(folder: Path, rules: PairRules) -> list[str]:
    path = folder / "rules.json"
    path.write_bytes(msgspec.json.encode(rules))
    return [sys.executable, str(SCRIPTS / "of_lunomm.py"), str(FOLDER / NAME), str(path)]


def _command(peer: Peer, folder: Path, rules: PairRules) -> list[str]:
    words = [str(peer.python), str(SCRIPTS / peer.script)]
    if peer.name == "luno-python":
        return [*words, str(FOLDER / NAME), str(FEW)]
    if peer.name != "hftbacktest":
        return [*words, str(FOLDER / NAME)]
    events = folder / "events.npz"
    with events.open("xb") as file:
        write_npz(Exporter(read_tape(FOLDER / NAME, PAIR)).events(), file)
    return [*words, str(events), str(rules.tick_size), str(rules.lot_size)]


def _once(words: list[str], folder: Path, snapshot: str) -> list[str]:
    """The same command for one look at the snapshot, in a file of its own: nobody reads what is behind it."""
    path = folder / "snapshot.jsonl"
    path.write_text(snapshot + "\n")
    return [str(path) if word == str(FOLDER / NAME) else word for word in words] + ["--once"]


def _cold(words: list[str]) -> Subject:
    def prepare() -> Callable[[], int]:
        def work() -> int:
            subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            return 1

        return work

    return prepare


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _version(peer: Peer) -> str:
    words = [str(peer.python), "-c", f"from importlib.metadata import version; print(version({peer.package!r}))"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
