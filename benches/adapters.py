#!/usr/bin/env python3
"""What an adapter costs: each library's own session file and sessiond, in turns, and for how long event loops stand still.

    benches/adapters.py [python] [node] [gotd] [grammers]

Prints a table of these, or of all; `make bench-adapters` installs and builds what it takes, and names it in the environment: SESSIOND_BIN, a
release build of the daemon; SESSIOND_TEST_LIBRARIES; and SESSIOND_KEEPERS, the folder of the programs `keeper`,
`grammers_keeper` and `gotd-cost`. What is missing is left out, and said.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PYTHON = {
    "Telethon": "telethon-1.45.0",
    "Kurigram": "kurigram-2.2.26",
    "PyroTGFork": "pyrotgfork-2.2.24.1",
    "Pyrofork": "pyrofork-2.3.69",
    "Hydrogram": "hydrogram-0.2.0",
}
ROUNDS = 1000
BLOCK = 100


def main():
    figures, left_out = [], []
    measures = [python, node, gotd, grammers]
    for measure in measures:
        if sys.argv[1:] and measure.__name__ not in sys.argv:
            continue
        for figure in measure(left_out):
            figures.append(figure)
            print(json.dumps(figure), file=sys.stderr)
    print("\n".join(table(figures)))
    for why in left_out:
        print(f"\nLeft out: {why}.")


def folder(variable):
    return Path(os.environ.get(variable) or "/nowhere")


def python(left_out):
    """Each library's Python, with the package beside it, as client/python/tests/adapters/run.sh does."""
    package = HERE / "client/python"
    tests = package / "tests"
    [*sites] = package.glob(".venv/lib/python*/site-packages")
    for library, version in PYTHON.items():
        program = folder("SESSIOND_TEST_LIBRARIES") / version / "bin/python"
        if not sites or not program.exists():
            left_out.append(f"{library}: it is not installed, or the package is not in client/python/.venv")
            continue
        path = os.pathsep.join(map(str, [*sites, tests, tests / "adapters"]))
        yield from lines([program, tests / "adapters/cost.py", library], PYTHONPATH=path)


def node(left_out):
    package = HERE / "client/typescript"
    if (package / "dist").exists() and (folder("SESSIOND_TEST_LIBRARIES") / "node").exists():
        yield from lines(["node", "bench/adapters.mjs"], cwd=package)
    else:
        left_out.append("GramJS, teleproto and mtcute: client/typescript is not built, or they are not installed")


def gotd(left_out):
    program = folder("SESSIOND_KEEPERS") / "gotd-cost"
    if not program.exists():
        left_out.append("gotd: there is no gotd-cost in SESSIOND_KEEPERS")
        return
    with daemon() as (directory, socket):
        yield from lines([program, directory], SESSIOND_SOCKET=socket)


def grammers(left_out):
    """Its own file and sessiond cannot be in one program: two programs are told what to do in turns."""
    keepers = folder("SESSIOND_KEEPERS")
    if not (keepers / "keeper").exists() or not (keepers / "grammers_keeper").exists():
        left_out.append("grammers: there are no keepers in SESSIOND_KEEPERS")
        return
    with daemon() as (directory, socket):
        programs = {
            "file": Keeper([keepers / "grammers_keeper", f"{directory}/grammers"], {}),
            "sessiond": Keeper([keepers / "keeper", "grammers"], {"SESSIOND_SOCKET": socket}),
        }
        steps = {"see": "a counter, as the program waits", "meet": "a peer, as the program waits", "known": "a peer looked up"}
        for step, what in steps.items():
            took = {name: [] for name in programs}
            for first in range(1, ROUNDS, BLOCK):
                for name, program in programs.items():
                    took[name].append(float(program.do(f"{step} {first} {first + BLOCK - 1}").split()[0]))
            medians = {name: statistics.median(times) for name, times in took.items()}
            yield {"library": "grammers", "what": what, "unit": "us", **medians}
        for program in programs.values():
            program.end()


class Keeper:
    """A program of tests/grammers/src/keeper, or of tests/formats/rust."""

    def __init__(self, command, environment):
        environment = {**os.environ, **environment}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        self.process.stdout.readline()

    def do(self, what):
        print(what, file=self.process.stdin, flush=True)
        return self.process.stdout.readline()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def daemon():
    """A daemon of its own: its folder and its socket."""
    with tempfile.TemporaryDirectory() as directory:
        socket = f"{directory}/sessiond.sock"
        serve = ["serve", "--dir", f"{directory}/sessions", "--socket", socket, "--log", "error"]
        process = subprocess.Popen([os.environ["SESSIOND_BIN"], *serve])
        try:
            yield directory, socket
        finally:
            process.terminate()
            process.wait()


def lines(command, cwd=None, **environment):
    """What a program prints, of JSON."""
    environment = {**os.environ, **environment}
    done = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def table(figures):
    saves = [figure for figure in figures if figure["unit"] == "us"]
    loops = [figure for figure in figures if figure["unit"] == "ms"]
    yield "| library | what, p50 | its own file | sessiond |"
    yield "|---|---|--:|--:|"
    for each in saves:
        yield f"| {each['library']} | {each['what']} | {micros(each.get('file'))} | {micros(each.get('sessiond'))} |"
    yield ""
    yield "| library | the event loop stands still, at most | on its own file | on sessiond | a loop with nothing to do |"
    yield "|---|---|--:|--:|--:|"
    for each in loops:
        cells = " | ".join(millis(each.get(name)) for name in ("file", "sessiond", "nothing"))
        yield f"| {each['library']} | {each['what']} | {cells} |"


def micros(value):
    if value is None:
        return ""
    return f"{value:,.0f} us" if value >= 10 else f"{value:.1f} us"


def millis(value):
    return "" if value is None else f"{value:.1f} ms"


if __name__ == "__main__":
    main()
