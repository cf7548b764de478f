#!/usr/bin/env bash
# Tests each adapter with the library that it is for, in that library's own environment: PYTHON of the package's environment,
# whose packages stand beside the library's. The libraries are those of tests/formats/install.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(realpath --no-symlinks "$1")
site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
version=$("$python" -c 'import sys; print(sys.version_info[:2])')
adapters=tests/adapters

run() { # LIBRARY'S-PYTHON MORE-PATH TEST...
    local python=$1 more=$2
    shift 2
    PYTHONPATH=$site:$PWD/tests:$PWD/$adapters$more "$python" -m pytest --disable-warnings "${@/#/$adapters/}"
}

skip() { # LIBRARY WHY
    [ "${CI:-}" != true ] || { echo "$1 is not tested: $2" >&2; exit 1; }
    echo "$1 is not tested: $2"
}

test_with() { # LIBRARY-VERSION TEST...
    local folder=${SESSIOND_TEST_LIBRARIES:-}
    [[ $1 == telethon-* ]] && folder=${SESSIOND_TEST_TELETHON:-$folder}
    local library=$folder/$1/bin/python
    if [ -z "$folder" ]; then
        skip "$1" "name the libraries' folder in SESSIOND_TEST_LIBRARIES"
    elif [ ! -x "$library" ]; then
        skip "$1" "it is not in $folder"
    elif [ "$("$library" -c 'import sys; print(sys.version_info[:2])')" != "$version" ]; then
        skip "$1" "it is installed for another Python than this one"
    else
        echo "$1:"
        run "$library" "" "${@:2}"
    fi
}

echo "telethon v2, as its reference describes it:"
run "$python" ":$PWD/$adapters/telethon_v2" telethon_v2_test.py
test_with telethon-1.45.0 telethon_test.py telethon_data_test.py telethon_pain_test.py
test_with telethon-1.42.0 telethon_test.py telethon_data_test.py
test_with kurigram-2.2.26 kurigram_test.py
test_with pyrotgfork-2.2.24.1 pyrotgfork_test.py
test_with pyrofork-2.3.69 pyrofork_test.py
test_with hydrogram-0.2.0 hydrogram_test.py
