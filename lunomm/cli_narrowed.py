"""Of all commands only the one asked for is built: the options of the others cost a start a tenth of a second."""

from __future__ import annotations

import copy

import typer


def narrowed(app: typer.Typer, name: str) -> typer.Typer:
    """``app`` with the command ``name`` alone; the whole of it where that is a group, or no command at all.

    Help and errors of the command read the same either way; a list of commands needs the whole.
    """
    unnamed = (group.typer_instance for group in app.registered_groups if not isinstance(group.name, str))
    for part in (app, *(found for found in unnamed if found is not None)):
        for info in part.registered_commands:
            if info.callback is not None and name == (info.name or info.callback.__name__):
                one = copy.copy(app)
                one.registered_commands, one.registered_groups = [info], []
                return one
    return app
