"""nvidia-ml-py, imported at half its price."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # the real one lives in typing, whose import costs as much as Python's own start
if TYPE_CHECKING:
    from typing import Any


def load(folder: str) -> Any:
    """Import nvidia-ml-py without four modules that it imports and hardly uses: half of its cost.

    On Linux it never calls `find_library`, and wants of the others a lock, capwords (for its exceptions' names) and
    `wraps` (for docstrings). Should a release want more, the import fails and is done again with the real ones.
    """
    import _thread

    sys.path.append(folder)
    before = set(sys.modules)
    stand_in("ctypes.util", find_library=None)
    stand_in("threading", Lock=_thread.allocate_lock)
    stand_in("string", capwords=lambda text, sep: sep.join(word.capitalize() for word in text.split(sep)))
    stand_in("functools", wraps=lambda wrapped: lambda wrapper: wrapper)
    ours = [name for name in ("ctypes.util", "threading", "string", "functools") if name not in before]
    try:
        import pynvml
    except Exception:
        for name in (*ours, "pynvml"):
            sys.modules.pop(name, None)
        import pynvml
    for name in ours:
        sys.modules.pop(name, None)
    return pynvml


def stand_in(name: str, **contents: Any) -> None:
    module = type(sys)(name)
    module.__dict__.update(contents)
    sys.modules.setdefault(name, module)
