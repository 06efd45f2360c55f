#!/bin/bash
# run.sh - every end-to-end script against one broker.  usage: run.sh BUILD-DIRECTORY [NAME]...
#
# Without Java the scripts that need a real broker are skipped, and named; with CI=true that is a failure.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${1:?names the build directory}" && pwd) || exit 2
shift
for program in tapedeck client_kafka client_kafka_produce client_zmq; do
    [ -x "$build/$program" ] || { echo "run.sh: there is no $build/$program" >&2; exit 2; }
done
broker_script=$here/../support/kafka_broker.sh
cluster=$(mktemp -d "${TMPDIR:-/tmp}/tapedeck-broker.XXXXXX") || exit 2
passed=0
failed=0
skipped=0

trap '"$broker_script" stop "$cluster" 2>/dev/null; rm -rf "$cluster"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The jars come from Maven Central: the one thing here that can be out of reach.
why_no_broker=
if ! command -v java >/dev/null; then
    why_no_broker="java is not installed"
elif ! "$broker_script" fetch; then
    why_no_broker="the broker's jars could not be fetched"
else
    KAFKA_ADDRESS=$("$broker_script" start "$cluster" --owner $$) || exit 1
    export KAFKA_ADDRESS
fi

run_one() { # run_one SCRIPT
    local script=$1 name output start=$SECONDS
    name=$(basename "$script" .sh)
    if [ -n "$why_no_broker" ] && grep -q need_broker "$script"; then
        if [ "${CI:-}" = true ]; then
            echo "$name: FAILED, and may not be skipped: $why_no_broker"
            failed=$((failed + 1))
        else
            echo "skipped: $name: $why_no_broker"
            skipped=$((skipped + 1))
        fi
        return
    fi

    output=$(mktemp) || exit 2
    timeout 300 "$script" "$build" </dev/null 2>&1 | tee "$output"
    if read -r p f < <(sed -n "s/^$name: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p" "$output"); then
        passed=$((passed + p))
        failed=$((failed + f))
    else
        echo "$name: FAILED, it ended without its closing line"
        failed=$((failed + 1))
    fi
    echo "$name: took $((SECONDS - start)) s"
    rm -f "$output"
}

if [ $# -gt 0 ]; then
    for name in "$@"; do run_one "$here/test_$name.sh"; done
else
    for script in "$here"/test_*.sh; do run_one "$script"; done
fi

printf '%d passed, %d failed' "$passed" "$failed"
[ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
printf '\n'
[ "$failed" = 0 ]
