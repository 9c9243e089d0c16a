"""What the settings say, read so that one that is wrong is a finding and not the end of the look."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lunomm import config as c
from lunomm.checks.settings import EnvFile, Setting, Wrong, shown
from lunomm.errors import ConfigError, LunommError, UsageError
from lunomm.luno.hosts import ApiKey, endpoint
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions
from lunomm.settable import SETTABLE, check_change, value_of

Parsers = Mapping[str, Callable[[str], object] | None]

KEYS = ("LUNO_KEY_ID", "LUNO_KEY_SECRET", "LUNO_GUARDIAN_KEY_ID", "LUNO_GUARDIAN_KEY_SECRET")
ADDRESSES = ("REDIS_HOST", "REDIS_PORT")


@dataclass(frozen=True)
class Known:
    """The settings in force.

    settings: to be shown, with where each came from. wrong: those a command would refuse. names: all that are read.
    key_error, redis_error: why there is no usable key, or no address. missing: what live trading must still be told.
    quote: what `quote` would be started with.
    """

    common: c.Common
    pair: str
    settings: tuple[Setting, ...]
    wrong: tuple[Wrong, ...]
    names: frozenset[str]
    file: EnvFile
    quote: QuoteOptions
    missing: tuple[str, ...]
    key_error: str | None = None
    redis_error: str | None = None

    @property
    def named(self) -> list[Setting]:
        """Those that stand in the environment or in the file."""
        return [each for each in self.settings if each.source in ("environment", ".env")]


def read_settings(
    env: Mapping[str, str],
    parsers: Parsers,
    *,
    pair: str | None,
    mode: str | None,
    url: str | None,
    typed: frozenset[str],
    common: c.Common,
) -> Known:
    """Everything a command would be told.

    Args:
        parsers: every variable of an option. typed: which of mode, url and pair stood on the command line. common: with
            json, for_s and debug; the rest is read here.

    Raises:
        UsageError: an unknown mode, or no market's name. ConfigError: no state folder is known, or ``.env`` cannot be
            read.
    """
    where = c.sources()
    key, key_error = _key(env)
    chosen, mode_error = _mode(mode, key, env)
    redis, redis_error = _redis(env)
    wrong = _wrong(env, where, parsers)
    try:
        c.read_guardian_key(env)
    except ConfigError as error:
        name = "LUNO_GUARDIAN_KEY_ID" if env.get("LUNO_GUARDIAN_KEY_ID") else "LUNO_GUARDIAN_KEY_SECRET"
        wrong.append(Wrong(name, where.get(name, "environment"), str(error)))
    if chosen == "live" and env.get("SSLKEYLOGFILE"):
        said = "it writes the keys of every TLS connection, and with them your API key, to a file. Unset it"
        wrong.append(Wrong("SSLKEYLOGFILE", "environment", said))
    if url is not None:
        try:
            endpoint(url)
        except ConfigError as error:
            wrong.append(Wrong("--url", where.get("LUNOMM_URL", "option"), str(error)))
            url = None
    pairs = c.parse_pairs([pair] if pair is not None else None, env)
    common = replace(
        common,
        mode=chosen,
        mode_explicit=mode is not None,
        url=url,
        redis=redis,
        state_dir=c.read_state_dir(env),
        key=key,
        upstream=env.get("LUNOMM_UPSTREAM") or "luno",
    )
    quote, gateway = _options(env)
    return Known(
        common=common,
        pair=pairs[0],
        settings=tuple(
            _settings(common, pairs, env, where, typed, mode, redis.url if redis_error is None else "no address")
        ),
        wrong=tuple(wrong),
        names=frozenset((*parsers, *c.VARIABLES)),
        file=_file(Path.cwd() / ".env"),
        quote=quote,
        missing=tuple(_missing(common, quote, gateway)),
        key_error=key_error or mode_error,
        redis_error=redis_error,
    )


def _key(env: Mapping[str, str]) -> tuple[ApiKey | None, str | None]:
    try:
        return c.read_key(env), None
    except ConfigError as error:
        return None, str(error)


def _mode(mode: str | None, key: ApiKey | None, env: Mapping[str, str]) -> tuple[str, str | None]:
    """The mode, and why it cannot be had; without a key that is the key's own finding."""
    try:
        return c.choose_mode(mode, key, env), None
    except ConfigError as error:
        half = bool(env.get("LUNO_KEY_ID")) != bool(env.get("LUNO_KEY_SECRET"))
        return mode or "sim", str(error) if half else None


def _redis(env: Mapping[str, str]) -> tuple[c.RedisAddress, str | None]:
    try:
        return c.read_redis(env), None
    except ConfigError as error:
        return c.RedisAddress(), str(error)


def _wrong(env: Mapping[str, str], where: Mapping[str, str], parsers: Parsers) -> list[Wrong]:
    """Values that the option they stand for would refuse."""
    found = []
    for variable, parser in parsers.items():
        text = env.get(variable)
        if text is None:
            continue
        name = variable.removeprefix("LUNOMM_").lower()
        try:
            if name in SETTABLE:
                check_change(name, text)
            elif parser is not None:
                parser(text)
        except LunommError as error:
            found.append(Wrong(variable, where.get(variable, "environment"), str(error)))
    return found


def _options(env: Mapping[str, str]) -> tuple[QuoteOptions, GatewayOptions]:
    """What the settings make of the quoter and the gateway; one that is wrong is left out, and found elsewhere."""
    quote, gateway = QuoteOptions(), GatewayOptions()
    for name, entry in SETTABLE.items():
        text = env.get("LUNOMM_" + name.upper())
        if text is None:
            continue
        try:
            value = value_of(entry, text)
            if entry.piece == "gateway":
                gateway = replace(gateway, **{name: value})  # type: ignore[arg-type]
            else:
                more = {"order_size_explicit": True} if name == "order_size" else {}
                quote = replace(quote, **{name: value}, **more)  # type: ignore[arg-type]
        except UsageError:
            continue
    fair = env.get("LUNOMM_FAIR_PRICE")
    return (replace(quote, fair_price=fair) if fair and not env.get("LUNOMM_REFERENCE") else quote), gateway


def _missing(common: c.Common, quote: QuoteOptions, gateway: GatewayOptions) -> list[str]:
    if common.mode != "live":
        return []
    given = {
        "--order-size": quote.order_size_explicit or None,
        "--max-position": gateway.max_position,
        "--max-order-value": gateway.max_order_value,
        "--max-daily-loss": gateway.max_daily_loss,
    }
    return [name for name, value in given.items() if value is None]


def _file(path: Path) -> EnvFile:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return EnvFile(str(path), False)
    holds = any(name in KEYS for name in c.read_dotenv(path))
    return EnvFile(str(path), True, mode if os.name == "posix" else None, holds, c.exposed(path))


def _settings(
    common: c.Common,
    pairs: tuple[str, ...],
    env: Mapping[str, str],
    where: Mapping[str, str],
    typed: frozenset[str],
    mode: str | None,
    redis: str,
) -> list[Setting]:
    """The five that decide what a command does, then all else that is set."""

    told = {"LUNO_KEY_SECRET"}

    def of(name: str, value: str, *variables: str) -> Setting:
        told.update(variables)
        if name in typed:
            return Setting(name, value, "option", "[PAIR]" if name == "pair" else f"--{name}")
        for variable in variables:
            if variable in where:
                return Setting(name, value, where[variable], variable)
        return Setting(name, value, "default")

    decided = Setting("mode", common.mode, "default", "LUNO_KEY_ID is set" if common.key is not None else "no keys")
    place = {"live": "https://api.luno.com", "paper": f"the market of {common.upstream}", "sim": "on this machine"}
    found = [
        decided if mode is None else of("mode", common.mode, "LUNOMM_MODE"),
        of("pair", ", ".join(pairs), "LUNOMM_PAIR"),
        of(
            "url",
            common.url or place[common.mode],
            "LUNOMM_URL",
            *(("LUNOMM_UPSTREAM",) if common.mode == "paper" else ()),
        ),
        of("redis", redis, "LUNOMM_REDIS_URL", *ADDRESSES),
        of("state", str(common.state_dir), "LUNOMM_STATE_DIR"),
        of("key", "set, not shown" if common.key is not None else "none", "LUNO_KEY_ID"),
    ]
    for variable, source in where.items():
        if variable not in told and variable not in (c.SUPERVISED, c.ARGUMENTS_ONLY):
            found.append(Setting(_name(variable), shown(variable, env.get(variable, "")), source, variable))
    return found


def _name(variable: str) -> str:
    return variable.removeprefix("LUNOMM_").lower().replace("_", " ")
