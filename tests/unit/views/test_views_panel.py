"""The panel of `up`: what each key does, and everything that must not do anything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunomm.errors import UsageError
from lunomm.settable import check_change
from lunomm.views.keyboard import Decoder, Key, Kind
from lunomm.views.panel import BAD_S, GOOD_S, IDLE_S, PARAMETERS, VIEWS, Heard, Panel, Request

SET = Request("set", "XBTMYR", (("gamma", "2"),))


class Hands:
    """Presses keys one at a time, a fifth of a second apart."""

    def __init__(self, *pairs: str) -> None:
        self.panel = Panel(pairs or ("XBTMYR", "ETHMYR"))
        self.panel.hear([Heard("XBTMYR", {"gamma": "1", "order_size": "0.5"}, base="XBT"), Heard("STRANGER")])
        self.now_s = 100.0

    def press(self, *keys: str | Kind) -> list[Request]:
        asked = []
        for key in keys:
            self.now_s += 0.2
            one = Key(Kind.CHARACTER, key) if isinstance(key, str) else Key(key)
            asked += self.panel.press([one], self.now_s)
        return asked

    def at_once(self, text: str) -> list[Request]:
        """One read, as a paste that the terminal does not mark."""
        self.now_s += 0.2
        return self.panel.press(Decoder().feed(text.encode(), self.now_s), self.now_s)

    @property
    def view(self):  # type: ignore[no-untyped-def]
        return self.panel.look(self.now_s)


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_windows_and_pairs(hands: Hands) -> None:
    for number, name in enumerate(VIEWS, 1):
        assert hands.press(str(number)) == [] and hands.view.view == name
    hands.press(Kind.TAB)
    assert hands.view.view == VIEWS[0]
    hands.press("n")
    assert hands.view.pair.pair == "ETHMYR"
    hands.press("n")
    assert hands.view.pair.pair == "XBTMYR" and [pair.pair for pair in hands.view.pairs] == ["XBTMYR", "ETHMYR"]


def test_pausing(hands: Hands) -> None:
    assert hands.press("p") == [Request("pause", "XBTMYR")]
    assert hands.press("p") == []  # the same is under way
    assert hands.press("n", "u") == [Request("unpause", "ETHMYR")]
    hands.panel.answered(Request("pause", "XBTMYR"), "paused", hands.now_s, good=True)
    assert hands.press("n", "p") == [Request("pause", "XBTMYR")]


@pytest.mark.parametrize(("key", "name"), PARAMETERS.items())
def test_a_value_is_typed_and_sent(hands: Hands, key: str, name: str) -> None:
    assert hands.press(key, "0", ".", "2", Kind.ENTER) == [Request("set", "XBTMYR", ((name, "0.2"),))]
    assert hands.view.prompt is None


def test_the_prompt(hands: Hands) -> None:
    hands.press("g")
    prompt = hands.view.prompt
    assert (prompt.pair, prompt.name, prompt.now, prompt.typed) == ("XBTMYR", "gamma", "1", "")
    hands.press("7", "p", "q", Kind.BACKSPACE, Kind.TAB, Kind.OTHER)
    assert hands.view.prompt.typed == "7p"
    hands.press(Kind.CLEAR, "3")
    assert hands.view.prompt.typed == "3" and hands.press(Kind.ESCAPE, Kind.ENTER) == [] and hands.view.prompt is None
    hands.press("s")
    assert hands.view.prompt.unit == "XBT"
    hands.press(*"9" * 100)
    assert len(hands.view.prompt.typed) == 60


@pytest.mark.parametrize(("name", "value"), [("gamma", "-1"), ("gamma", ""), ("order_size", "x"), ("eta", "nan")])
def test_a_refused_value_says_what_set_says_and_can_be_mended(hands: Hands, name: str, value: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_change(name, value)
    key = next(key for key, known in PARAMETERS.items() if known == name)
    assert hands.press(key, *value, Kind.ENTER) == []
    assert hands.view.prompt.error == str(refused.value) and hands.view.prompt.typed == value
    assert hands.press(Kind.CLEAR, "1", Kind.ENTER)[0].changes[0][1] == "1"


def test_any_parameter_by_name(hands: Hands) -> None:
    assert hands.press(":", *"max-spread = 0.01", Kind.ENTER) == [Request("set", "XBTMYR", (("max_spread", "0.01"),))]
    hands.panel.answered(Request("set", "XBTMYR", (("max_spread", "0.01"),)), "done", hands.now_s, good=True)
    hands.press(":", *"levels", Kind.ENTER)
    assert "NAME=VALUE" in hands.view.prompt.error
    hands.press(Kind.CLEAR, *"fair_price=mid", Kind.ENTER)
    assert "cannot change while it runs" in hands.view.prompt.error


def test_a_prompt_belongs_to_its_pair_and_closes_by_itself(hands: Hands) -> None:
    hands.press("n", "g", "n")
    assert hands.view.pair.pair == hands.view.prompt.pair == "ETHMYR" and hands.view.prompt.typed == "n"
    hands.now_s += IDLE_S + 1
    assert hands.view.prompt is None
    hands.press("!", *"PANIC")
    hands.now_s += IDLE_S + 1
    assert hands.press(Kind.ENTER) == []


def test_panic_wants_its_word(hands: Hands) -> None:
    assert hands.press("!", Kind.ENTER) == hands.press(*"panic", Kind.ENTER) == []
    assert "PANIC" in hands.view.prompt.error
    assert hands.press(Kind.CLEAR, *"PANIC", Kind.ENTER) == [Request("panic")]
    assert hands.press("g", "2", Kind.ENTER) == [SET]  # nothing waits for it


def test_one_set_at_a_time(hands: Hands) -> None:
    assert hands.press("g", "2", Kind.ENTER) == [SET]
    assert hands.press("e", "0", Kind.ENTER) == [] and "not answered" in hands.view.prompt.error
    hands.panel.answered(SET, "gamma 1 -> 2", hands.now_s, good=True)
    assert len(hands.press(Kind.ENTER)) == 1
    assert hands.press("n", "g", "2", Kind.ENTER) == [Request("set", "ETHMYR", (("gamma", "2"),))]


def test_results_age_and_go(hands: Hands) -> None:
    hands.press("g", "2", Kind.ENTER)
    hands.now_s += 1.5
    assert (hands.view.line.text, hands.view.line.good) == ("XBTMYR: gamma 2", None)
    assert hands.view.line.age_s == pytest.approx(1.5)
    hands.panel.answered(SET, "gamma 1 -> 2", hands.now_s, good=True)
    hands.now_s += 3
    assert (hands.view.line.text, hands.view.line.good, hands.view.line.age_s) == ("gamma 1 -> 2", True, 3.0)
    hands.now_s += GOOD_S
    assert hands.view.line is None
    hands.panel.answered(SET, "no answer within 5 s", hands.now_s, good=False)
    hands.now_s += BAD_S - 1
    assert hands.view.line.good is False


def test_q_ends_and_then_no_key_means_anything(hands: Hands) -> None:
    assert hands.press("q") == [Request("end")] and hands.view.ending
    assert hands.press("p", "g", "2", Kind.ENTER, "q", "!") == []


def test_without_a_keyboard_nothing_is_pressed() -> None:
    panel = Panel(("XBTMYR",), keys=False)
    assert panel.press([Key(Kind.CHARACTER, "p")], 1.0) == []


# --- what is no key ---------------------------------------------------------------------------------------------------


def test_keys_act_only_when_they_come_alone(hands: Hands) -> None:
    for junk in ("pq", "g2\r", "!q", "ppp", "2q"):
        assert hands.at_once(junk) == []
        assert hands.view.prompt is None and hands.view.view == VIEWS[0] and not hands.view.ending
    hands.press("g")
    assert hands.at_once("2\r") == [] and hands.view.prompt.error == "press Enter again to send it"
    assert hands.press(Kind.ENTER) == [SET]


def test_a_key_right_after_another_is_not_alone(hands: Hands) -> None:
    assert hands.panel.press([Key(Kind.OTHER)], 50.0) == hands.panel.press([Key(Kind.CHARACTER, "p")], 50.01) == []
    assert hands.panel.press([Key(Kind.CHARACTER, "p")], 50.1) != []


def test_a_burst_closes_the_prompt_and_is_deaf_until_it_is_quiet(hands: Hands) -> None:
    hands.press("!")
    assert hands.at_once("PANIC\r\r\r") == [] and hands.view.prompt is None and "paste" in hands.view.line.text
    assert hands.panel.press([Key(Kind.CHARACTER, "p")], hands.now_s + 0.29) == []
    assert hands.panel.press([Key(Kind.CHARACTER, "p")], hands.now_s + 0.5) == []  # the silence began anew
    assert hands.panel.press([Key(Kind.CHARACTER, "p")], hands.now_s + 1.0) == [Request("pause", "XBTMYR")]


def test_a_marked_paste_fills_an_open_value_only(hands: Hands) -> None:
    paste = "\x1b[200~{}\x1b[201~"
    assert hands.at_once(paste.format("p")) == [] and hands.view.line.text == "ignored: a paste is no key"
    hands.press("g")
    hands.at_once(paste.format(" 2 \n"))
    assert hands.view.prompt.typed == "2" and hands.press(Kind.ENTER) == [SET]
    hands.press("e")
    hands.at_once(paste.format("1\r2"))
    assert hands.view.prompt.typed == "" and "not one value" in hands.view.prompt.error
    hands.press(Kind.ESCAPE, "!")
    assert hands.at_once(paste.format("PANIC")) == [] and hands.view.prompt is None
    assert hands.press(Kind.ENTER) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="gesm:!pnuq12345 =PANIC\r\n\t\x1b[]O~0;ABC\x7f", min_size=2, max_size=40), max_size=8))
def test_no_junk_in_reads_of_several_keys_asks_anything(reads: list[str]) -> None:
    panel, decoder, now_s = Panel(("XBTMYR",)), Decoder(), 10.0
    for text in reads:
        now_s += 1.0
        found = decoder.feed(text.encode(), now_s)
        if len(found) != 1:  # alone, it would be a key
            assert panel.press(found, now_s) == []
