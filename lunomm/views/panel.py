"""What the keys of ``up`` do: keys and the time in, what is shown and what is asked out. Nothing is sent from here.

The rules of the game:

* A key acts only when it came alone: nothing else in the same read and none in the ALONE_S before. So neither a paste
  that the terminal does not mark, nor a sequence that came in pieces, nor a cat on the keyboard is a command.
* More than BURST keys within BURST_S are a paste: an open prompt closes, and nothing is heard until QUIET_S of
  silence.
* A value is typed into a prompt and goes out with Enter, that too alone; it is checked by the options' own rules first,
  and what they refuse stays there to be corrected. A prompt belongs to the pair it was opened for, and closes by
  itself.
* Panic wants its word typed: no paste fills that prompt.
* One ``set`` of a pair at a time waits for its answer; pausing and panic never wait for another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lunomm.errors import UsageError
from lunomm.settable import SETTABLE, check_change
from lunomm.views.keyboard import Key, Kind

VIEWS = ("overview", "book", "quote", "gateway", "calibrate")
PARAMETERS = {"g": "gamma", "e": "eta", "s": "order_size", "m": "min_spread"}
"""Keys that open a prompt for one parameter; ``:`` takes any as NAME=VALUE."""
PANIC = "PANIC"

ALONE_S = 0.04
BURST, BURST_S = 6, 0.1
QUIET_S = 0.3
IDLE_S = 60.0
"""A prompt that nobody typed into for so long is closed: the next key may be somebody else's."""
LONGEST = 60
GOOD_S, BAD_S = 60.0, 120.0
"""How long a result is shown."""

Verb = Literal["set", "pause", "unpause", "panic", "end"]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked by a key. pair: empty for what concerns all (panic, end). changes: name and canonical text."""

    verb: Verb
    pair: str = ""
    changes: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> str:
        what = ", ".join(f"{name} {value}" for name, value in self.changes) or self.verb
        return f"{self.pair}: {what}" if self.pair else {"panic": "PANIC, halting and cancelling"}.get(what, what)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the pipeline says of one pair. settings: the quoter's, as it is now. paused: who and why, None = not. base:
    the asset of sizes, empty while it is not known.
    """

    pair: str
    settings: Mapping[str, str] = field(default_factory=dict)
    paused: str | None = None
    base: str = ""

    def unit(self, name: str) -> str:
        """Of a parameter, for people; empty where it has none."""
        unit = SETTABLE[name].unit if name in SETTABLE else ""
        return self.base if unit == "base" and self.base else unit


@dataclass(frozen=True, slots=True)
class Prompt:
    """An open line. name: of the parameter, empty for NAME=VALUE. now, unit: of it. error: why Enter did nothing."""

    kind: Literal["set", "panic"]
    pair: str
    name: str = ""
    now: str = ""
    unit: str = ""
    typed: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was said. good: None while it is not known yet. age_s: since then."""

    text: str
    good: bool | None
    age_s: float


@dataclass(frozen=True, slots=True)
class PanelView:
    """The panel at one instant. keys: whether any is heard. ending: the pipeline is being ended."""

    pairs: tuple[Heard, ...]
    selected: int = 0
    view: str = VIEWS[0]
    prompt: Prompt | None = None
    line: Line | None = None
    keys: bool = False
    ending: bool = False

    @property
    def pair(self) -> Heard | None:
        return self.pairs[self.selected] if self.pairs else None


class Panel:
    """Which view of which pair, the prompt, what is under way. keys: whether a keyboard is there at all."""

    def __init__(self, pairs: Sequence[str], *, keys: bool = True) -> None:
        self.keys = keys
        self._heard = {pair: Heard(pair) for pair in pairs}
        self._selected = 0
        self._view = VIEWS[0]
        self._prompt: Prompt | None = None
        self._line: tuple[str, bool, float] | None = None
        self._asked: dict[Request, float] = {}
        self._ending = False
        self._times: deque[float] = deque(maxlen=BURST + 1)
        self._typed_s = float("-inf")
        self._deaf_s = float("-inf")

    @property
    def view(self) -> str:
        return self._view

    @property
    def pair(self) -> str:
        return list(self._heard)[self._selected]

    # --- in ----------------------------------------------------------------------------------------------------------

    def hear(self, heard: Sequence[Heard]) -> None:
        """What the pipeline says now; a pair it does not say anything of stays as it is."""
        self._heard.update({each.pair: each for each in heard if each.pair in self._heard})

    def say(self, text: str, now_s: float, *, good: bool = False) -> None:
        """Something worth reading that no key asked for."""
        self._line = (text, good, now_s)

    def answered(self, request: Request, text: str, now_s: float, *, good: bool) -> None:
        """What a request came to."""
        self._asked.pop(request, None)
        self._line = (text, good, now_s)

    def end(self) -> None:
        """The pipeline is being ended, by whomever: no key means anything any more."""
        self._ending, self._prompt = True, None

    def press(self, keys: Sequence[Key], now_s: float) -> list[Request]:
        """The keys of one read; what is asked now. now_s: monotonic."""
        if not keys or self._ending or not self.keys:
            return []
        if self._prompt is not None and now_s - self._typed_s > IDLE_S:
            self._prompt = None
        alone = len(keys) == 1 and now_s - self._typed_s >= ALONE_S
        self._typed_s = now_s
        if self._burst(keys, now_s):
            return []
        if any(key.kind is Kind.PASTE for key in keys):
            self._paste(keys, now_s)
            return []
        if self._prompt is None:
            return self._command(keys[0], now_s) if alone else []
        if alone and keys[0].kind is Kind.ENTER:
            return self._enter(now_s)
        for key in keys:
            self._edit(key)
        return []

    def _burst(self, keys: Sequence[Key], now_s: float) -> bool:
        """Whether these keys are more than fingers press, or come right after such."""
        for key in keys:
            if key.kind is not Kind.PASTE:
                self._times.append(now_s)
        if len(self._times) > BURST and now_s - self._times[0] <= BURST_S:
            self._deaf_s = now_s + QUIET_S
            self._prompt = None
            self.say("ignored: so many keys at once are a paste. Keys are pressed one at a time", now_s)
            return True
        if now_s < self._deaf_s:
            self._deaf_s = now_s + QUIET_S
            return True
        return False

    def _paste(self, keys: Sequence[Key], now_s: float) -> None:
        """A marked paste: text for an open value, nothing else."""
        prompt, text = self._prompt, keys[0].text.strip()
        if prompt is None or prompt.kind == "panic":
            self.say("ignored: a paste is no key", now_s)
            self._prompt = None
        elif len(keys) > 1 or not (text.isascii() and text.isprintable()):
            self._type(error="ignored: the paste is not one value")
        else:
            self._type(prompt.typed + text)

    # --- what a key means --------------------------------------------------------------------------------------------

    def _command(self, key: Key, now_s: float) -> list[Request]:
        if key.kind is Kind.TAB:
            self._view = VIEWS[(VIEWS.index(self._view) + 1) % len(VIEWS)]
        if key.kind is not Kind.CHARACTER:
            return []
        text = key.text
        if text in "123456789"[: len(VIEWS)]:
            self._view = VIEWS[int(text) - 1]
        elif text == "n":
            self._selected = (self._selected + 1) % len(self._heard)
        elif text in PARAMETERS:
            name = PARAMETERS[text]
            heard = self._heard[self.pair]
            self._prompt = Prompt("set", self.pair, name, heard.settings.get(name, ""), heard.unit(name))
        elif text == ":":
            self._prompt = Prompt("set", self.pair)
        elif text == "!":
            self._prompt = Prompt("panic", "")
        elif text == "p":
            return self._ask(Request("pause", self.pair), now_s)
        elif text == "u":
            return self._ask(Request("unpause", self.pair), now_s)
        elif text == "q":
            self.end()
            return [Request("end")]
        return []

    def _edit(self, key: Key) -> None:
        if self._prompt is None:  # closed by a key of the same read
            return
        if key.kind is Kind.ESCAPE:
            self._prompt = None
        elif key.kind is Kind.ENTER:
            self._type(error="press Enter again to send it")
        elif key.kind is Kind.BACKSPACE:
            self._type(self._prompt.typed[:-1])
        elif key.kind is Kind.CLEAR:
            self._type("")
        elif key.kind is Kind.CHARACTER:
            self._type(self._prompt.typed + key.text)

    def _type(self, typed: str | None = None, error: str = "") -> None:
        prompt = self._prompt
        assert prompt is not None
        text = prompt.typed if typed is None else typed[:LONGEST]
        self._prompt = replace(prompt, typed=text, error=error)

    def _enter(self, now_s: float) -> list[Request]:
        prompt = self._prompt
        assert prompt is not None
        if prompt.kind == "panic":
            if prompt.typed != PANIC:
                self._type(error=f"type {PANIC}, or Esc")
                return []
            self._prompt = None
            return self._ask(Request("panic"), now_s)
        name, value = prompt.name, prompt.typed
        if not name:
            name, equals, value = (part.strip() for part in prompt.typed.partition("="))
            if not equals:
                self._type(error="say NAME=VALUE, for example max_spread=0.01")
                return []
            name = name.lower().lstrip("-").replace("-", "_")
        if any(request.verb == "set" and request.pair == prompt.pair for request in self._asked):
            self._type(error="the last change is not answered yet: a moment, then Enter again")
            return []
        try:
            text = check_change(name, value)
        except UsageError as error:
            self._type(error=str(error))
            return []
        self._prompt = None
        return self._ask(Request("set", prompt.pair, ((name, text),)), now_s)

    def _ask(self, request: Request, now_s: float) -> list[Request]:
        """Ask it, unless the very same is under way."""
        if request in self._asked:
            return []
        self._asked[request] = now_s
        self._line = None
        return [request]

    # --- out ---------------------------------------------------------------------------------------------------------

    def look(self, now_s: float) -> PanelView:
        """What is shown now."""
        if self._prompt is not None and now_s - self._typed_s > IDLE_S:
            self._prompt = None
        return PanelView(
            tuple(self._heard.values()),
            self._selected,
            self._view,
            self._prompt,
            self._said(now_s),
            self.keys,
            self._ending,
        )

    def _said(self, now_s: float) -> Line | None:
        """What is under way, else the last result while it is news."""
        if self._asked:
            request, at_s = next(iter(self._asked.items()))
            return Line(request.words, None, now_s - at_s)
        if self._line is None:
            return None
        text, good, at_s = self._line
        age_s = now_s - at_s
        return Line(text, good, age_s) if age_s <= (GOOD_S if good else BAD_S) else None
