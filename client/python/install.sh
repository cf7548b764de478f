#!/usr/bin/env bash
# Installs a wheel of this package into an environment of its own, with the newest libraries that were tested, and writes the
# drivers of the conformance tests: FOLDER/python/driver and FOLDER/python-aio/driver. What is there already is left alone.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
wheel=$1
into=$(mkdir -p -- "$2" && cd -- "$2" && pwd)
libraries=$here/requirements-newest.txt

made_from=$(cat -- "$wheel" "$libraries" "${BASH_SOURCE[0]}" | sha256sum)
if [[ -e $into/python/made-from && $(<"$into/python/made-from") == "$made_from" ]]; then
    exit 0
fi

"${PYTHON:-python3}" -m venv --clear "$into/python"
"$into/python/bin/python" -m pip --disable-pip-version-check --quiet install --requirement "$libraries" "$wheel"

driver() { # FOLDER ARGUMENTS...
    local folder=$1
    shift
    mkdir -p -- "$folder"
    printf '#!/bin/sh\nexec %q %q %s\n' "$into/python/bin/python" "$here/tests/driver.py" "$*" >"$folder/driver"
    chmod +x -- "$folder/driver"
}
driver "$into/python"
driver "$into/python-aio" --aio
printf '%s\n' "$made_from" >"$into/python/made-from"
