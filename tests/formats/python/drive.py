"""Writes and reads session files with a Python library's own classes. tests/formats/README.md says what goes in and comes out.

    python drive.py write FORMAT PATH < contents.json
    python drive.py read FORMAT PATH

Run by the Python of a library's virtual environment, which thereby is the library that is tested.
"""

import importlib
import json
import sys

# Which module here writes and reads a format. None is called as a library is: this folder comes first in the path.
MODULES = {
    "telethon-v1": "with_telethon",
    "telethon-string": "with_telethon",
    "pyrogram": "with_pyrogram",
    "pyrogram-string": "with_pyrogram",
    "kurigram": "with_pyrogram",
    "pyrotgfork": "with_pyrogram",
    "pyrofork": "with_pyrogram",
    "tdata": "with_opentele",
}


def main(action, format, path):
    module = importlib.import_module(MODULES[format])
    given = json.load(sys.stdin) if action == "write" or format == "tdata" else None
    if action == "write":
        module.write(format, path, given)
    elif action == "read":
        json.dump(module.read(format, path, *([given] if format == "tdata" else [])), sys.stdout)
    else:
        sys.exit(f"drive.py: neither write nor read: {action}")


if __name__ == "__main__":
    main(*sys.argv[1:])
