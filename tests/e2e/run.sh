#!/bin/bash
# run.sh - every end-to-end script, two at a time, against one broker.  usage: run.sh BUILD-DIRECTORY [NAME]...
#
# What a script prints is shown when it has ended. Without Java the scripts that need a real broker are skipped,
# and named; with CI=true that is a failure.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${1:?names the build directory}" && pwd) || exit 2
shift
for program in tapedeck client_kafka client_kafka_produce client_zmq; do
    [ -x "$build/$program" ] || { echo "run.sh: there is no $build/$program" >&2; exit 2; }
done
broker_script=$here/../support/kafka_broker.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/tapedeck-broker.XXXXXX") || exit 2
cluster=$work/kafka

# More at a time, and what has some seconds to happen in takes longer than these.
most_at_once=2
# They go first, so that none of them runs alone in the end.
longest=(security group lag_failover recreated_group rolling recreated broker_restart)

passed=0
failed=0
skipped=0
declare -A running=() # names of scripts, by the pid of what runs them
declare -A began=()   # the same

clean_up() {
    local pids
    mapfile -t pids < <(jobs -pr)
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}"
    wait
    "$broker_script" stop "$cluster" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The jars come from Maven Central: the one thing here that can be out of reach.
why_no_broker=
if ! command -v java >/dev/null; then
    why_no_broker="java is not installed"
elif ! "$broker_script" fetch; then
    why_no_broker="the broker's jars could not be fetched"
else
    if [ $# = 0 ]; then
        # Twenty nodes are started: with this, each in half of the time.
        export KAFKA_CLASSES=$work/classes
        "$broker_script" classes "$KAFKA_CLASSES" >"$work/classes.out" 2>&1 &
    fi
    KAFKA_ADDRESS=$("$broker_script" start "$cluster" --owner $$) || exit 1
    export KAFKA_ADDRESS
fi

cannot_run() { # cannot_run NAME: says so, and counts it
    [ -n "$why_no_broker" ] && grep -q need_broker "$here/$1.sh" || return
    if [ "${CI:-}" = true ]; then
        echo "$1: FAILED, and may not be skipped: $why_no_broker"
        failed=$((failed + 1))
    else
        echo "skipped: $1: $why_no_broker"
        skipped=$((skipped + 1))
    fi
}

begin() { # begin NAME: in the background
    timeout 600 "$here/$1.sh" "$build" </dev/null >"$work/$1.out" 2>&1 &
    running[$!]=$1
    began[$!]=$SECONDS
}

finish_one() { # wait until one of those that run has ended; show and count it
    local pid name p f s
    wait -n -p pid "${!running[@]}"
    name=${running[$pid]}
    unset "running[$pid]"

    cat "$work/$name.out"
    if read -r p f s < <(sed -nE "s/^$name: ([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 \4/p" \
        "$work/$name.out"); then
        passed=$((passed + p))
        failed=$((failed + f))
        skipped=$((skipped + ${s:-0}))
    else
        echo "$name: FAILED, it ended without its closing line"
        failed=$((failed + 1))
    fi
    echo "$name: took $((SECONDS - began[$pid])) s"
}

names() { # every script that there is, each once
    {
        printf 'test_%s\n' "${longest[@]}"
        basename -s .sh "$here"/test_*.sh
    } | awk '!seen[$0]++'
}

if [ $# -gt 0 ]; then
    mapfile -t names < <(printf 'test_%s\n' "$@")
else
    mapfile -t names < <(names)
fi
for name in "${names[@]}"; do
    cannot_run "$name" && continue
    [ ${#running[@]} -lt "$most_at_once" ] || finish_one
    begin "$name"
done
while [ ${#running[@]} -gt 0 ]; do
    finish_one
done

printf '%d passed, %d failed' "$passed" "$failed"
[ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
printf '\n'
[ "$failed" = 0 ]
