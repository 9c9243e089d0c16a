"""``--fair-price package.module:function``: a user's function, found and tried before anything is quoted."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import cast

from lunomm.errors import ModelError, UsageError
from lunomm.options import show
from lunomm.quoting.fair_price import BUILT_IN, SAMPLE, FairPrice, checked


def resolve(text: str) -> FairPrice:
    """One of ours by name, or a function imported from the working directory or the Python path.

    Raises:
        UsageError: no such module or function, or it does not turn a sample tick into a price, twice the same.
    """
    if text in BUILT_IN:
        return BUILT_IN[text]
    module, _, name = text.partition(":")
    option = f"--fair-price: {show(text)}"
    if not name or not all(part.isidentifier() for part in (*module.split("."), name)):
        raise UsageError(f"{option}: unknown. Say one of {', '.join(BUILT_IN)}, or package.module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as e:  # whatever the user's module does at import: it is one line, not a traceback
        raise UsageError(
            f"{option}: cannot be imported: {type(e).__name__}: {str(e)[:160]}. Correct it, or start in its folder"
        ) from e
    if not callable(found):
        raise UsageError(f"{option}: is not a function. Give one that turns a FairTick into a price")
    function = cast(FairPrice, found)
    try:
        once, again = checked(function, SAMPLE), checked(function, SAMPLE)
    except ModelError as e:
        raise UsageError(f"{option}: does not price a sample tick: {e}") from e
    if once != again:
        raise UsageError(f"{option}: gives {once:g} and then {again:g} for one tick. It must depend on the tick alone")
    return function
