#!/bin/sh
# Makes a virtual environment for every version of Telethon that the tests use: .venvs/telethon-VERSION, or in the directory
# that is given. One that is there with the same versions in it is left alone.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
into=${1:-$here/../../.venvs}

for requirements in "$here"/telethon-*.txt; do
    venv=$into/$(basename "$requirements" .txt)
    if cmp -s "$requirements" "$venv/installed.txt"; then
        continue
    fi
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/installed.txt"
done
