#!/usr/bin/env bash
# Installs the libraries that the formats are tested with, and builds the drivers that are compiled: into .libraries, or into the
# directory that is given. What is there in the same version is left alone, so that a second run has nothing to do.
#
# The versions are pinned in python/*.txt, node/package-lock.json, go/go.sum and rust/Cargo.lock. What is missing here (node, go)
# is said, and the rest is installed.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
into=$(mkdir -p "${1:-$here/../../.libraries}" && cd -- "${1:-$here/../../.libraries}" && pwd)

# Whether what is installed in a folder was made from these files; if not, the folder is emptied.
is_there() { # FOLDER FILES...
    local folder=$1 now
    shift
    now=$(cat -- "$@" | sha256sum)
    if [[ -e $folder/made-from && $(<"$folder/made-from") == "$now" ]]; then
        return 0
    fi
    rm -rf -- "$folder"
    mkdir -p -- "$folder"
    made_from=$now
    return 1
}

finish() { # FOLDER
    printf '%s\n' "$made_from" >"$1/made-from"
    echo "installed $(basename "$1")"
}

venv() { # REQUIREMENTS
    local folder
    folder=$into/$(basename "$1" .txt)
    is_there "$folder" "$1" && return
    python3 -m venv "$folder"
    "$folder/bin/python" -m pip install -q --disable-pip-version-check --no-compile -r "$1"
    # What installs is not needed to run, and is a third of it all.
    "$folder/bin/python" -m pip uninstall -q -y --disable-pip-version-check setuptools pip
    finish "$folder"
}

# Telethon is where its own tests have it.
telethon() {
    local venvs=${SESSIOND_TEST_TELETHON:-$into} venv
    "$here/../telethon/venvs.sh" "$venvs"
    for venv in "$venvs"/telethon-*; do
        [[ $(dirname -- "$venv") -ef $into ]] || ln -sfn "$venv" "$into"
    done
}

# The folder with Node's own headers, where Node came with them. node-gyp would download them.
node_headers() {
    local prefix
    prefix=$(dirname -- "$(dirname -- "$(realpath -- "$(command -v node)")")")
    [[ ! -e $prefix/include/node/node_version.h ]] || echo "$prefix"
}

node_modules() {
    local folder=$into/node headers
    is_there "$folder" "$here"/node/{package.json,package-lock.json,.npmrc} && return
    cp "$here"/node/{package.json,package-lock.json,.npmrc} "$folder"
    cd "$folder"
    # No script of a package runs but the one that compiles SQLite for mtcute.
    npm ci --silent --ignore-scripts
    headers=$(node_headers)
    npm rebuild --silent --foreground-scripts --build-from-source ${headers:+--nodedir="$headers"} better-sqlite3 >build.log 2>&1 || {
        tail -20 build.log >&2
        return 1
    }
    # What it was compiled from, and what lies in between: three quarters of it all.
    rm -rf node_modules/better-sqlite3/{deps,src}
    find node_modules/better-sqlite3/build -type f ! -name better_sqlite3.node -delete
    finish "$folder"
}

go_program() {
    local folder=$into/go
    is_there "$folder" "$here"/go/{go.mod,go.sum,*.go} && return
    (cd "$here/go" && go build -trimpath -ldflags '-s -w' -o "$folder/formats" .)
    finish "$folder"
}

rust_programs() {
    local folder=$into/rust
    is_there "$folder" "$here"/rust/{Cargo.toml,Cargo.lock,src/*.rs,src/bin/*.rs} "$here"/../grammers/src/keeper/keeper.rs && return
    cargo install --quiet --locked --debug --no-track --path "$here/rust" --root "$folder" --target-dir "$into/.rust-target"
    mv "$folder"/bin/* "$folder"
    rm -rf "$folder/bin" "$into/.rust-target"
    finish "$folder"
}

if [[ ${2-} == one ]]; then # of many, by itself
    "${@:3}"
    exit
fi

work=(telethon)
for requirements in "$here"/python/*.txt; do
    work+=("venv $requirements")
done
if command -v node npm >/dev/null; then work+=(node_modules); else echo "node and npm are missing: no JavaScript library" >&2; fi
if command -v go >/dev/null; then work+=(go_program); else echo "go is missing: no gotd" >&2; fi
work+=(rust_programs)
# Four at a time: most of the time is waiting for the network.
printf '%s\n' "${work[@]}" | xargs -P 4 -L 1 "$0" "$into" one
