#!/usr/bin/env bash
# Holds a session, moves its counters on, and shows what anyone may see, with grpcurl alone.
set -euo pipefail

call() { # METHOD REQUEST
    grpcurl -plaintext -d "$2" "unix:$SESSIOND_SOCKET" "sessiond.v1.SessionService/$1"
}

# The hold lasts as long as this call does. Its first answer has the token; bytes are base64 in JSON.
exec 3< <(call Hold '{"name": "example", "label": "shell-1", "wait": true}')
token=
while [[ -z $token ]]; do
    read -r line <&3
    [[ $line =~ '"token": "'([^\"]+) ]] && token=${BASH_REMATCH[1]}
done

call Advance '{"name": "example", "token": "'"$token"'", "change": {"pts": 5001}}' > /dev/null
call Load '{"name": "example"}' | grep -o '"pts": [0-9]*'
# Another hold of the same session is refused, and told by whom.
call Hold '{"name": "example", "label": "shell-2"}' 2>&1 | grep -oE '"(reason|label)": "[^"]*"' || true
call Release '{"name": "example", "token": "'"$token"'"}' > /dev/null
