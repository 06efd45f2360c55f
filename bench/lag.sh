#!/bin/bash
# lag.sh - one look at 500 consumer groups with 50 partitions each, on a real broker; and what a recorder
# that watches them writes.
# usage: lag.sh BUILD-DIRECTORY
#
# TAPEDECK_BENCH_GROUPS (500), TAPEDECK_BENCH_PARTITIONS (50), TAPEDECK_BENCH_SECONDS (20) of watching.
set -u
export LC_ALL=C
build=$(cd "${1:?names the build directory}" && pwd) || exit 2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
broker=$here/../tests/support/kafka_broker.sh
groups=${TAPEDECK_BENCH_GROUPS:-500}
partitions=${TAPEDECK_BENCH_PARTITIONS:-50}
seconds=${TAPEDECK_BENCH_SECONDS:-20}
work=$(mktemp -d "${TMPDIR:-/tmp}/tapedeck-bench.XXXXXX") || exit 2
trap '"$broker" stop "$work/kafka" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export KAFKA_JVM="-Xmx1g" # as a server runs: the better compiler
address=$("$broker" start "$work/kafka" --owner $$) || exit 1
"$build/bench_lag" "$address" "$groups" "$partitions"
code=$?

# Commits stand: each group is written once a minute. What a recorder writes at most is its own limit.
printf '[lag]\ninterval = 1s\n' >"$work/tapedeck.conf"
TIMEFORMAT='%U %S'
{ time "$build/tapedeck" record --quiet --config "$work/tapedeck.conf" --tape "$work/tape" --for "$seconds" \
    "kafka://$address/bench-lag" >/dev/null 2>"$work/stderr"; } 2>"$work/time" || {
    cat "$work/stderr" >&2
    exit 1
}
"$build/tapedeck" streams --internal --json --tape "$work/tape" | grep '"stream":"@lag"' |
    sed 's/.*"events":"\([0-9]*\)","bytes":"\([0-9]*\)".*/\1 \2/' >"$work/written"
awk -v seconds="$seconds" -v tape="$(du -sk "$work/tape"/*.seg | awk '{ sum += $1 } END { print sum }')" '
    FNR == NR { cpu = $1 + $2; next }
    { printf "a recorder that looks every second, for %d s: %.1f %% of a core; @lag %d events, %.1f KiB/s (limit 128), %d KiB of tape\n",
        seconds, 100 * cpu / seconds, $1, $2 / 1024 / seconds, tape }' "$work/time" "$work/written"
exit $code
