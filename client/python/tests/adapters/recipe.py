"""The recipes of docs/libraries.md."""

from __future__ import annotations

import re
from pathlib import Path

LIBRARIES = Path(__file__).parents[4] / "docs" / "libraries.md"


def run(library: str) -> None:
    """Runs the program of a library's section, as it stands there."""
    section = LIBRARIES.read_text().split(f"\n## {library}\n")[1].split("\n## ")[0]
    [program] = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    exec(compile(program, f"{LIBRARIES.name}: {library}", "exec"), {"__name__": "__main__"})
