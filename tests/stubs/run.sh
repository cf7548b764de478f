#!/usr/bin/env bash
# Runs the examples of docs/stubs.md, each against a daemon of its own, and compares what they print with NAME.txt beside this
# file. What they need goes into .stubs, or the directory that is given, and is fetched once.
#
# Versions are pinned: here, and in the examples' pom.xml. What is missing (mvn, go) is said, and its examples are left out; in
# CI they are not, and this fails.
set -euo pipefail

[[ $# -ge 1 ]] || { echo "usage: $0 SESSIOND [DIRECTORY]" >&2; exit 64; }
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
sessiond=$(realpath -- "$1")
into=$(mkdir -p -- "${2:-$root/.stubs}" && cd -- "${2:-$root/.stubs}" && pwd)

grpcurl=github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3

scratch=$(mktemp -d)
export SESSIOND_SEAL=file:$scratch/key
trap 'rm -rf -- "$scratch"' EXIT

has() { # PROGRAM EXAMPLES
    command -v "$1" >/dev/null && return
    echo "$1 is missing: these examples are not run: $2" >&2
    [[ ${CI:-} != true ]] || exit 1
    return 1
}

# Whether what was fetched last was for these files.
is_there() { # NAME FILES...
    local stamp=$into/$1.made-from
    shift
    [[ -e $stamp && $(<"$stamp") == "$(cat -- "$@" | sha256sum)" ]]
}

check() { # NAME EXPECTED COMMAND...
    local name=$1 expected=$here/$2 said=$scratch/$1.out
    shift 2
    if ! timeout 300 "$sessiond" run --dir "$scratch/$name" --socket "$scratch/$name.sock" -- "$@" >"$said"; then
        echo "the example '$name' has failed; it said:" >&2
        cat -- "$said" >&2
        exit 1
    fi
    # Maven resets the colours of its output, also where there are none. When one in line is told his place is open.
    diff -u -- "$expected" <(sed -e 's/\x1b\[0*m//g' -e '/^waits in place/d' "$said")
    echo "the example '$name' does what docs/stubs.md says"
}

maven() { # NAME MAIN-CLASS-OF-THE-TEST
    local project=$root/examples/$1 name=$1-restart
    local arguments=(-q -B -f "$project/pom.xml" "-Dmaven.repo.local=$into/m2")
    if is_there "$1" "$project/pom.xml"; then
        arguments+=(-o)
    fi
    check "$1" "$1.txt" mvn "${arguments[@]}" test-compile exec:java
    sha256sum <"$project/pom.xml" >"$into/$1.made-from"
    # Whether what is said of its hold is so when the daemon is killed; `sessiond run` starts it again.
    SESSIOND_RESUME_WINDOW=2s SESSIOND_HAND_OVER_DELAY=0 check "$name" restart.txt \
        mvn "${arguments[@]}" -o exec:java -Dexec.classpathScope=test -Dexec.mainClass="$2" \
        -Dexec.args="$scratch/$name/sessiond.lock"
}

# Nothing of this machine's settings.
export SESSIOND_CONFIG=/dev/null

if has go "shell"; then
    [[ -x $into/bin/grpcurl && $(<"$into/shell.made-from") == "$grpcurl" ]] || GOBIN=$into/bin go install "$grpcurl"
    printf '%s\n' "$grpcurl" >"$into/shell.made-from"
    check shell shell.txt env "PATH=$into/bin:$PATH" "$root/examples/shell/example.sh"
fi
if has mvn "java, kotlin"; then
    maven java example.Restart
    maven kotlin example.RestartKt
fi
