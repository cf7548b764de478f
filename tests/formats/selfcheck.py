#!/usr/bin/env python3
"""Whether each driver reads what it wrote: for every cell of matrix.json, contents are made up, written with the library, read
with the library, and compared. What only one library writes, another reads.

    selfcheck.py LIBRARIES [SEEDS [FORMAT]]

Nothing of sessiond takes part: what fails here is a fault of a driver, or of a library.
"""

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from made_up import HERE, cells, differences, made_up

ENDINGS = {"telethon-v1", "pyrogram", "kurigram", "pyrotgfork", "pyrofork"}


def main(libraries, seeds=3, only=None):
    chosen = [cell for cell in cells() if only in (None, cell["format"])]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda cell: check(cell, Path(libraries).absolute(), int(seeds)), chosen))
    print(f"{'format':16} {'library':14} {'version':9} {'writer':14} result")
    for cell, (writer, faults) in zip(chosen, results):
        result = faults[0] if faults else "same"
        print(f"{cell['format']:16} {cell['library']:14} {cell['version']:9} {writer['library']:14} {result}")
        for fault in faults[1:6]:
            print(f"{'':57}{fault}")
    sys.exit(any(faults for _, faults in results))


def check(cell, libraries, seeds):
    writer = cell if cell["writes"] else next(each for each in cells() if each["format"] == cell["format"] and each["writes"])
    faults = []
    for seed in range(seeds):
        # What both can hold is what the one holds that holds less.
        given = made_up(cell, seed, "write")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / ("made_up.session" if cell["format"] in ENDINGS else "made_up")
            try:
                drive(writer, libraries, "write", path, json.dumps(with_peers(given)))
                options = json.dumps({"passcode": given.get("passcode")})
                seen = json.loads(drive(cell, libraries, "read", path, options))
                given.pop("passcode", None)  # it opens the folder, and is not in it
                faults += [f"seed {seed}: {each}" for each in differences(given, seen)]
            except subprocess.CalledProcessError as error:
                faults.append(f"seed {seed}: {error.stderr.strip().splitlines()[-1]}")
    return writer, faults


def with_peers(given):
    """A writer that keeps peers wants a list of them, be it empty."""
    return given if "accounts" in given else {"peers": [], **given}


def drive(cell, libraries, action, path, text):
    program, *rest = (part.replace("{libraries}", str(libraries)) for part in cell["driver"])
    command = [program, *rest, action, cell["format"], str(path)]
    return subprocess.run(command, cwd=HERE, input=text, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
