#!/usr/bin/env bash
# Makes the generated code from the schema: gen.sh TOOLS INTO, where TOOLS is the folder of python and the plugins.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
schema=$here/../../proto
tools=$(cd -- "$1" && pwd)
into=$2
made=$(mktemp -d)
trap 'rm -rf -- "$made"' EXIT

# A plugin of today warns of what it was made with itself.
PYTHONWARNINGS=ignore PATH=$tools:$PATH "$tools/python" -m grpc_tools.protoc -I "$schema" \
    --python_out="$made" --grpc_python_out="$made" --mypy_out="quiet:$made" --mypy_grpc_out="quiet:$made" \
    "$schema"/sessiond/v1/*.proto

# The modules are a part of this package, and nobody else's.
sed -i -E \
    -e 's/^from sessiond\.v1 import /from . import /' \
    -e 's/^import sessiond\.v1\.([a-z_]+_pb2)$/from . import \1/' \
    -e 's/\bsessiond\.v1\.([a-z_]+_pb2)\b/\1/g' \
    "$made"/sessiond/v1/*.py "$made"/sessiond/v1/*.pyi

mkdir -p -- "$into"
for file in "$made"/sessiond/v1/*; do
    case $file in
    */reason_pb2_grpc.* | */session_pb2_grpc.*) ;; # they have no service
    *) mv -- "$file" "$into" ;;
    esac
done
