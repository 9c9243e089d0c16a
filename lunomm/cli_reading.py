"""What was typed becomes a value, here where that is simple: text, a number's own reader, a path, nothing at all.

The command line library makes a pydantic validator for every option of a command before it looks whether anything was
given, and importing pydantic took a fifth of every cold start.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


class Reading:
    """Reads what one option or argument was given, as the library does; what is not simple is left to it.

    Args:
        param: the library's option or argument.
    """

    def __init__(self, param: Any) -> None:
        self._library = param.get_runtime_param
        self._info = param.type_descriptor.parameter_info
        self._annotation = param.type_descriptor.annotation
        info = self._info
        self._plain_path = (
            self._annotation is Path
            and info.file_okay
            and info.dir_okay
            and not (info.exists or info.writable or info.resolve_path or info.allow_dash or info.path_type)
        )

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value of what was given; None, or nothing of many, where nothing was.

        Raises:
            typer.BadParameter: not readable as what it should be.
        """
        many = param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        if self._info.parser is not None:
            if not many:
                try:
                    return self._info.parser(value)
                except ValueError:
                    pass  # said in the library's words, below
        elif isinstance(value, str):
            if self._annotation is str and not many:
                return value
            if self._plain_path and not many:
                path = Path(value)
                if os.access(path, os.R_OK) or not path.exists():
                    return path
        elif self._annotation == list[str] and all(isinstance(each, str) for each in value):
            return list(value)
        return self._library().coerce(value, param=param, ctx=ctx)


def read_simply(command: Any) -> Any:
    """``command`` with its options and arguments, and those of the commands below it, read by :class:`Reading`.

    Where the library is made otherwise than known here, it reads as it always did.
    """
    given = command.get_params

    def get_params(ctx: Any) -> list[Any]:
        return [_read_here(param) for param in given(ctx)]

    command.get_params = get_params  # asked anew for every command line; `--help` is an option of it, too
    for below in getattr(command, "commands", {}).values():
        read_simply(below)
    return command


def _read_here(param: Any) -> Any:
    known = hasattr(param, "get_runtime_param") and hasattr(getattr(param, "type_descriptor", None), "parameter_info")
    if known and "get_runtime_param" not in vars(param):  # once: it is asked for several times a command line
        reading = Reading(param)
        param.get_runtime_param = lambda: reading
    return param
