"""Of all commands only the one asked for is built: the options of the others cost a start a tenth of a second."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import typer
from typer.models import CommandInfo


def narrowed(app: typer.Typer, name: str) -> typer.Typer:
    """``app`` with the command ``name`` alone; the whole of it where that is a group, or no command at all.

    Help and errors of the command read the same either way; a list of commands needs the whole.
    """
    for found, info in _listed(app):
        if found == name and info is not None:
            one = copy.copy(app)
            one.registered_commands, one.registered_groups = [info], []
            return one
    return app


def names(app: typer.Typer) -> list[str]:
    """What can be typed after the program's name: its commands and its groups, without what is inside a group."""
    return [name for name, _ in _listed(app)]


def _listed(app: typer.Typer) -> Iterator[tuple[str, CommandInfo | None]]:
    """Each name at the top, with its command (None: a group). A part without a name lends its commands to the top."""
    for info in app.registered_commands:
        if info.callback is not None:
            yield info.name or info.callback.__name__, info
    for group in app.registered_groups:
        part = group.typer_instance
        name = _text(group.name) or (_text(part.info.name) if part is not None else None)
        if name is not None:
            yield name, None
        elif part is not None:
            yield from _listed(part)


def _text(name: Any) -> str | None:
    """A name that was given: where none was, the library keeps a placeholder."""
    return name if isinstance(name, str) else None
