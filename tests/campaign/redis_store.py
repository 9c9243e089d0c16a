"""A Redis in memory, as far as lunomm uses one: the data of it. Links to it are in `campaign.redis_link`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from lunomm.bus import lease, venue

Id = tuple[int, int]
Entry = tuple[str, dict[str, str]]


def parse_id(text: str) -> Id:
    first, _, second = text.partition("-")
    return int(first), int(second or 0)


def _from(at: Id, low: Id, *, after: bool) -> bool:
    return at > low or (at == low and not after)


class Stream:
    """An append-only list of entries."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.last: Id = (0, 0)


class Server:
    """Keys with a life, hashes, streams.

    Args:
        now_ms: the server's clock. added: told of every stream entry, with its key. published: takes every message.
        stored: told of every plain key that is set.
    """

    def __init__(
        self,
        now_ms: Callable[[], int],
        added: Callable[[str, Entry], None],
        published: Callable[[str, str], int],
        stored: Callable[[str, str], None],
    ) -> None:
        self._now_ms, self._stored = now_ms, stored
        self._added, self._published = added, published
        self.data: dict[str, Any] = {}
        self.ends: dict[str, int] = {}
        self.life = 0
        """Grows when the data is not a continuation of what was: flushed, restarted empty, or thawed."""

    # --- of the world -----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        self.data.clear()
        self.ends.clear()
        self.life += 1

    def freeze(self) -> tuple[dict[str, Any], dict[str, int], int]:
        return copy.deepcopy(self.data), dict(self.ends), self._now_ms()

    def thaw(self, frozen: tuple[dict[str, Any], dict[str, int], int]) -> None:
        """An old state comes back, its times to live going on where they stood (a machine that was suspended)."""
        data, ends, at = copy.deepcopy(frozen)
        late = self._now_ms() - at
        self.data, self.ends = data, {key: end + late for key, end in ends.items()}
        self.life += 1

    def _get(self, key: str) -> Any:
        end = self.ends.get(key)
        if end is not None and end <= self._now_ms():
            self.delete(key)
        return self.data.get(key)

    # --- commands ---------------------------------------------------------------------------------------------------

    def ping(self) -> bool:
        return True

    def get(self, key: str) -> str | None:
        value: str | None = self._get(key)
        return value

    def set(self, key: str, value: str | bytes, px: int | None = None, nx: bool = False) -> bool | None:
        value = _read(value)
        if nx and self._get(key) is not None:
            return None
        self.data[key] = value
        self._stored(key, value)
        self.ends.pop(key, None)
        if px is not None:
            self.ends[key] = self._now_ms() + px
        return True

    def delete(self, *keys: str) -> int:
        found = [self.data.pop(key, None) for key in keys]
        for key in keys:
            self.ends.pop(key, None)
        return sum(value is not None for value in found)

    def pexpire(self, key: str, ms: int) -> int:
        if self._get(key) is None:
            return 0
        self.ends[key] = self._now_ms() + ms
        return 1

    def scan(self, cursor: int, match: str, count: int = 0) -> tuple[int, list[str]]:
        return 0, [key for key in list(self.data) if self._get(key) is not None and fnmatchcase(key, match)]

    def hgetall(self, key: str) -> dict[str, str]:
        return dict(self._get(key) or {})

    def hvals(self, key: str) -> list[str]:
        return list((self._get(key) or {}).values())

    def hset(self, key: str, mapping: Mapping[str, str]) -> int:
        self.data.setdefault(key, {}).update(mapping)
        return len(mapping)

    def hdel(self, key: str, *names: str) -> int:
        fields = self.data.get(key) or {}
        gone = [fields.pop(name, None) for name in names]
        if not fields:
            self.data.pop(key, None)
        return sum(value is not None for value in gone)

    def xadd(self, key: str, fields: Mapping[str, str], id: str = "*", maxlen: int | None = None, **_: Any) -> str:
        stream: Stream = self.data.setdefault(key, Stream())
        if id == "*":
            now = self._now_ms()
            at = (now, 0) if now > stream.last[0] else (stream.last[0], stream.last[1] + 1)
        else:
            at = parse_id(id)
        if at <= stream.last:
            raise ResponseError("The ID specified in XADD is equal or smaller than the target stream top item")
        stream.last = at
        entry = (f"{at[0]}-{at[1]}", dict(fields))
        stream.entries.append(entry)
        if maxlen is not None and len(stream.entries) > maxlen + 100:
            del stream.entries[:-maxlen]
        self._added(key, entry)
        return entry[0]

    def xrange(self, key: str, min: str = "-", max: str = "+", count: int | None = None) -> list[Entry]:
        stream: Stream | None = self._get(key)
        if stream is None:
            return []
        after = min.startswith("(")
        low = (0, 0) if min == "-" else parse_id(min.removeprefix("("))
        start = len(stream.entries)
        while start and _from(parse_id(stream.entries[start - 1][0]), low, after=after):
            start -= 1
        return stream.entries[start:][:count]

    def xrevrange(self, key: str, count: int | None = None) -> list[Entry]:
        stream: Stream | None = self._get(key)
        return [] if stream is None else stream.entries[: -(count or 10**9) - 1 : -1]

    def xread(self, after: Mapping[str, str], count: int) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        for key, last in after.items():
            stream: Stream | None = self._get(key)
            low = parse_id(last)
            if stream is None or stream.last <= low:
                continue
            start = len(stream.entries)
            while start and parse_id(stream.entries[start - 1][0]) > low:
                start -= 1
            rows = stream.entries[start : start + count]
            if rows:
                found[key] = rows
        return found

    def publish(self, key: str, data: str | bytes) -> int:
        return self._published(key, _read(data))

    def eval(self, script: str, _: int, key: str, *args: str) -> int:
        """The scripts of lunomm, by their text."""
        if script == lease._TOKEN:
            token = max(int(self._get(key) or 0) + 1, int(args[0]))
            self.set(key, str(token))
            return token
        if script in (lease._RENEW, lease._RELEASE):
            held = self._get(key)
            mine = held is not None and msgspec.json.decode(held)["token"] == int(args[0])
            if script == lease._RELEASE:
                if mine:
                    self.delete(key)
                return 1
            if held is not None and not mine:
                return 0
            self.set(key, args[1], px=int(args[2]))
            return 1
        if script == venue._RELEASE:
            return self.delete(key) if self._get(key) == args[0] else 0
        raise ResponseError("unknown script")

    def state_of(self, key: str) -> str:
        """The ``state`` of the message under a key, "" without one."""
        text = self._get(key)
        try:
            return str(msgspec.json.decode(text or "{}").get("state", ""))
        except (msgspec.DecodeError, AttributeError):
            return ""


def _read(value: str | bytes) -> str:
    """As a reader gets it: every client of lunomm decodes its replies."""
    return value.decode() if isinstance(value, bytes) else value
