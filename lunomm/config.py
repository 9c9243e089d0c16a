"""Settings: command line > environment > ``.env`` > default. The only reader of ``os.environ``.

An empty value means absent. ``.env`` is read from the working directory as data (spaces around ``=``, quotes, a byte
order mark and CRLF are fine) and never run by a shell. Wrong options are :class:`UsageError` (exit 2), wrong settings
:class:`ConfigError` (exit 3).
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lunomm.dotenv_file import exposed, read_dotenv
from lunomm.errors import ConfigError, UsageError
from lunomm.luno.hosts import ApiKey, Endpoint, endpoint
from lunomm.options import DEFAULT_PAIR, show
from lunomm.redis_address import BUS_KEY, TLS_FILES, RedisAddress, is_this_machine, read_redis

__all__ = [
    "ApiKey",
    "Common",
    "RedisAddress",
    "child_environment",
    "environment",
    "exposed",
    "fee_tier",
    "is_this_machine",
    "parse_pair",
    "parse_pairs",
    "read_common",
    "read_dotenv",
    "read_emergency",
    "read_redis",
    "read_webhook",
    "show",
    "sources",
    "supervised_environment",
    "upstream_key",
    "upstream_place",
]

SUPERVISED = "LUNOMM_SUPERVISED"
"""Set by ``up`` for its children: they end when their supervisor is gone."""

MODES = ("sim", "paper", "live")

ARGUMENTS_ONLY = "LUNOMM_ARGUMENTS_ONLY"
"""Set for commands that lunomm starts itself: their options are on their command line, none in ``.env`` counts."""

_SERVICES = ("LUNOMM_REDIS_URL", "LUNOMM_REDIS_SERVER", "LUNOMM_STATE_DIR", *TLS_FILES.values())
"""LUNOMM_* names that are addresses and folders rather than options: they hold for children too."""

WEBHOOK = "LUNOMM_WEBHOOK_URL"

VARIABLES = (*_SERVICES, BUS_KEY, WEBHOOK, "LUNOMM_PAIR", SUPERVISED, ARGUMENTS_ONLY)
"""LUNOMM_* names that are no option's."""

_FROM_DOTENV: Final[set[str]] = set()
"""Names that stand in this process's environment only because `export_options` put them there."""

_PAIR = re.compile(r"[A-Z0-9]{5,12}", re.ASCII)
_COUNTERPARTS = {"BTC": "XBT"}
"""Names people use that Luno spells otherwise."""


# --- environment ---------------------------------------------------------------------------------------------------


def environment(folder: Path | None = None) -> dict[str, str]:
    """The process's environment over ``.env`` of ``folder`` (default: the working directory); empty = absent."""
    if folder is None:
        try:
            folder = Path.cwd()
        except OSError as e:
            raise ConfigError("the working directory is gone: change to an existing one") from e
    merged = read_dotenv(folder / ".env")
    if os.environ.get(ARGUMENTS_ONLY):
        merged = {k: v for k, v in merged.items() if not k.startswith("LUNOMM_") or k in (*_SERVICES, BUS_KEY)}
    merged.update({name: value.strip() for name, value in os.environ.items() if value.strip()})
    return merged


def export_options(env: Mapping[str, str]) -> None:
    """Let the command line see ``.env``: LUNOMM_* names that the environment lacks are set in it (never the key)."""
    for name, value in env.items():
        if name.startswith("LUNOMM_") and not os.environ.get(name, "").strip():
            os.environ[name] = value
            _FROM_DOTENV.add(name)


def sources(folder: Path | None = None) -> dict[str, str]:
    """Every name of ours that is set, and where: ``environment`` or, of ``folder`` (the working one), ``.env``.

    Raises:
        ConfigError: the file cannot be read.
    """
    prefixes = ("LUNOMM_", "LUNO_", "REDIS_")
    found = dict.fromkeys(read_dotenv((folder or Path.cwd()) / ".env"), ".env")
    found |= dict.fromkeys(
        (n for n, text in os.environ.items() if text.strip() and n not in _FROM_DOTENV), "environment"
    )
    return {name: place for name, place in sorted(found.items()) if name.startswith(prefixes)}


def upstream_key(key: ApiKey | None) -> dict[str, str]:
    """What a paper exchange is given of the user's: the key it reads the market with."""
    return {} if key is None else {"LUNO_KEY_ID": key.id, "LUNO_KEY_SECRET": key.secret}


def upstream_place(word: str) -> Endpoint:
    """Whose market: ``luno``, or an exchange on this machine.

    Raises:
        ConfigError: neither.
    """
    try:
        return endpoint(None if word.strip().lower() == "luno" else word)
    except ConfigError as error:
        where = "--upstream (LUNOMM_UPSTREAM)"
        raise ConfigError(str(error).replace("--url (LUNOMM_URL)", where), code="UPSTREAM") from None


def child_environment(**extra: str) -> dict[str, str]:
    """This process's environment for a child that needs no key (a simulated exchange, the embedded server)."""
    kept = {k: v for k, v in os.environ.items() if not (k.startswith("LUNO_") and "KEY" in k)}
    return {**_without_options(kept), **extra}


def supervised_environment() -> dict[str, str]:
    """This process's environment for a piece started by ``up``."""
    key = os.environ.get(BUS_KEY)
    sealed = {} if key is None else {BUS_KEY: key}
    return {**_without_options(dict(os.environ)), **sealed, SUPERVISED: str(os.getpid())}


def _without_options(env: dict[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in env.items() if not k.startswith("LUNOMM_") or k in _SERVICES}
    return {**kept, ARGUMENTS_ONLY: "1"}


# --- common --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Common:
    """What every command that connects knows.

    mode: ``sim``, ``paper`` or ``live``. mode_explicit: given by option or LUNOMM_MODE. url: as given, None = the
    mode's own. key: the user's key, None without one (in sim never used). guardian_key: the guardian's own, None =
    ``key``. upstream: whose market a paper exchange started here passes on.
    for_s: stop after so many seconds.
    supervised: process id of the ``up`` that started this, None otherwise.
    """

    mode: str
    redis: RedisAddress
    state_dir: Path
    mode_explicit: bool = False
    url: str | None = None
    key: ApiKey | None = None
    guardian_key: ApiKey | None = None
    json: bool = False
    for_s: float | None = None
    debug: bool = False
    supervised: int | None = None
    upstream: str = "luno"


def read_common(
    env: Mapping[str, str],
    *,
    mode: str | None = None,
    url: str | None = None,
    json: bool = False,
    for_s: float | None = None,
    debug: bool = False,
    venue: bool = True,
    keyless: bool = False,
    upstream: str | None = None,
) -> Common:
    """Resolve what all commands share. venue: False where no market is talked to (``down``, ``exchange``): mode sim.

    keyless: live needs no key (but not half of one): what is read is public.

    Raises:
        UsageError: unknown mode, for_s not positive.
        ConfigError: live without keys, half a key, a key others may read, a bad port, URL or state folder.
    """
    if for_s is not None and not (math.isfinite(for_s) and for_s > 0):
        raise UsageError(f"--for: {for_s}: not a positive number of seconds. Give how long to run, such as 150")
    key = read_key(env)
    if not venue:
        mode, explicit = "sim", True
    else:
        explicit = mode is not None
        mode = choose_mode(mode, key, env, keyless=keyless)
    if mode == "live":
        _check_privacy(env)
    return Common(
        mode=mode,
        mode_explicit=explicit,
        url=url,
        redis=read_redis(env),
        state_dir=read_state_dir(env),
        key=key,
        guardian_key=read_guardian_key(env),
        json=json,
        for_s=for_s,
        debug=debug,
        supervised=int(env[SUPERVISED]) if env.get(SUPERVISED, "").isdecimal() else None,
        upstream=upstream or env.get("LUNOMM_UPSTREAM") or "luno",
    )


def read_emergency(env: Mapping[str, str], *, mode: str | None, url: str | None, json: bool, debug: bool) -> Common:
    """What `panic` and `audit` know: a key and where to go, whatever else is set wrongly.

    With keys and no mode it is live: in an emergency the orders meant are the real ones. A bad Redis address or a file
    that others may read must not keep anybody from cancelling.

    Raises:
        UsageError: unknown mode. ConfigError: live without keys, or half a key.
    """
    key = read_key(env)
    if mode is None:
        mode = "sim" if key is None and not env.get("LUNO_KEY_ID") and not env.get("LUNO_KEY_SECRET") else "live"
    mode = choose_mode(mode, key, env)
    try:
        redis = read_redis(env)
    except ConfigError:
        redis = RedisAddress()
    return Common(
        mode=mode,
        mode_explicit=True,
        url=url,
        redis=redis,
        state_dir=read_state_dir(env),
        key=key,
        json=json,
        debug=debug,
    )


def _check_privacy(env: Mapping[str, str]) -> None:
    """Nothing on this machine hands the key to others.

    Raises:
        ConfigError: ``.env`` is readable by others, or the session keys of TLS would be written to a file.
    """
    complaint = exposed(Path.cwd() / ".env")
    if complaint is not None:
        raise ConfigError(complaint, code="FILE_MODE")
    if env.get("SSLKEYLOGFILE"):
        raise ConfigError(
            "SSLKEYLOGFILE is set: it writes the keys of every TLS connection, and with them your API key, to a file. "
            "Unset it for live trading",
            code="SSLKEYLOGFILE",
        )


def choose_mode(mode: str | None, key: ApiKey | None, env: Mapping[str, str], *, keyless: bool = False) -> str:
    """The mode rules of the design: sim without keys, paper with them; live only when said, and it needs them.

    Of the user's key, paper needs the exchange it talks to only: who starts that must have it.
    """
    half = [name for name in ("LUNO_KEY_ID", "LUNO_KEY_SECRET") if env.get(name)]
    if mode is None:
        if key is None and half:
            raise ConfigError(
                f"{half[0]} is set without its other half: set both LUNO_KEY_ID and LUNO_KEY_SECRET, or none"
            )
        return "sim" if key is None else "paper"
    if mode not in MODES:
        raise UsageError(f"--mode {show(mode)}: unknown. Say --mode sim, --mode paper or --mode live")
    if mode == "live" and key is None and not (keyless and not half):
        missing = [name for name in ("LUNO_KEY_ID", "LUNO_KEY_SECRET") if not env.get(name)]
        raise ConfigError(
            f"--mode live: needs LUNO_KEY_ID and LUNO_KEY_SECRET; absent: {', '.join(missing)}. "
            "Put both into .env or the environment",
            code="NO_KEYS",
        )
    return mode


def read_key(env: Mapping[str, str]) -> ApiKey | None:
    """The user's key, or None when either half is absent."""
    key_id, secret = env.get("LUNO_KEY_ID"), env.get("LUNO_KEY_SECRET")
    return ApiKey(key_id, secret) if key_id and secret else None


def read_webhook(env: Mapping[str, str]) -> str | None:
    """Where ``lunomm watch`` posts its alarms. Whoever knows the URL can write there: it is never repeated.

    Raises:
        ConfigError: neither https nor http on this machine.
    """
    url = env.get(WEBHOOK)
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if host and (parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host))):
        return url
    raise ConfigError(f"{WEBHOOK}: not such an address. Write https://..., or http:// of this machine")


def read_guardian_key(env: Mapping[str, str]) -> ApiKey | None:
    """LUNO_GUARDIAN_KEY_ID and LUNO_GUARDIAN_KEY_SECRET: may read and cancel orders; None where none is set.

    Raises:
        ConfigError: only one of the two.
    """
    key_id, secret = env.get("LUNO_GUARDIAN_KEY_ID"), env.get("LUNO_GUARDIAN_KEY_SECRET")
    if bool(key_id) != bool(secret):
        there = "LUNO_GUARDIAN_KEY_ID" if key_id else "LUNO_GUARDIAN_KEY_SECRET"
        raise ConfigError(f"{there} is set without its other half: set both, or none")
    return ApiKey(key_id, secret) if key_id and secret else None


def fee_tier(given: int | None, mode: str) -> int:
    """Of an exchange of ours where none is said: the demo's, but on paper what a new customer pays."""
    return (1 if mode == "paper" else 0) if given is None else given


def read_state_dir(env: Mapping[str, str]) -> Path:
    """LUNOMM_STATE_DIR, else the platform's folder for a user's state. Not created here."""
    if env.get("LUNOMM_STATE_DIR"):
        return Path(env["LUNOMM_STATE_DIR"]).expanduser().absolute()
    if sys.platform == "win32":
        base = env.get("LOCALAPPDATA")
        if base:
            return Path(base) / "lunomm"
    elif env.get("XDG_STATE_HOME"):
        return Path(env["XDG_STATE_HOME"]) / "lunomm"
    try:
        home = Path.home()
    except RuntimeError as e:
        raise ConfigError("no home folder is known: set LUNOMM_STATE_DIR to a folder for state") from e
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "lunomm"
    return home / ".local" / "state" / "lunomm"


def parse_pair(text: str) -> str:
    """A pair as Luno writes it: trimmed, upper case.

    Raises:
        UsageError: not five to twelve letters and digits; where a known spelling is meant, it is offered.
    """
    pair = text.strip().upper()
    if _PAIR.fullmatch(pair):
        return pair
    joined = re.sub(r"[/\-_: ]", "/", pair[:20])
    legs = [_COUNTERPARTS.get(leg, leg) for leg in joined.split("/")]
    guess = "".join(legs)
    hint = f"Did you mean {guess}?" if len(legs) == 2 and _PAIR.fullmatch(guess) else "Pairs look like XBTMYR"
    raise UsageError(f"unknown pair: {show(text)}: not a Luno market. {hint}", code="UNKNOWN_PAIR")


def parse_pairs(texts: list[str] | None, env: Mapping[str, str]) -> tuple[str, ...]:
    """The pairs given, else LUNOMM_PAIR (several divided by commas), else XBTMYR; each once, in order."""
    if not texts:
        texts = env.get("LUNOMM_PAIR", DEFAULT_PAIR).split(",")
    return tuple(dict.fromkeys(parse_pair(text) for text in texts))
