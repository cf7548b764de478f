"""The README's examples do what they say, each as a program of its own, with the package that is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from daemon import PATIENCE, Daemon

README = Path(__file__).parents[1] / "README.md"


def test_every_example_runs(daemon: Daemon, tmp_path: Path) -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    printed = []
    for example in examples:
        program = tmp_path / "example.py"
        program.write_text(example)
        environment = {**os.environ, "SESSIOND_SOCKET": daemon.socket}
        command = (sys.executable, "-W", "error", str(program))
        ran = subprocess.run(
            command,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, ""), example
        printed.append(ran.stdout)
    assert "durable, as revision " in printed[0]
    assert printed[1] == "stopped: the hold was lost: an operator ended it\n"
    assert printed[2] == "UpdateState(pts=1000, qts=0, date=0, seq=0, channels=[]) None\n"
    assert "example has pts 2000\nto go on from: WatchPosition(" in printed[3]
    assert "Peer(id=5, kind=<PeerKind.USER: 'USER'>) None" in printed[4]
    assert len(printed) == 5
