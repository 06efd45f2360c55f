#!/bin/bash
# record_vs_kcat.sh - recording a topic from a real broker, against reading it with kcat and keeping nothing.
# usage: record_vs_kcat.sh BUILD-DIRECTORY
#
# The same topic, six partitions, events of about 300 bytes with two headers; in turn, so that what else
# the machine does hits both. Its memory also for twice as many events of a few bytes, of which what is read ahead
# costs most. TAPEDECK_BENCH_EVENTS (1000000), TAPEDECK_BENCH_ROUNDS (5).
set -u
export LC_ALL=C
build=$(cd "${1:?names the build directory}" && pwd) || exit 2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
broker=$here/../tests/support/kafka_broker.sh
events=${TAPEDECK_BENCH_EVENTS:-1000000}
rounds=${TAPEDECK_BENCH_ROUNDS:-5}
work=$(mktemp -d "${TMPDIR:-/tmp}/tapedeck-bench.XXXXXX") || exit 2
trap '"$broker" stop "$work/kafka" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export KAFKA_JVM="-Xmx1g" # as a server runs: the better compiler
address=$("$broker" start "$work/kafka" --owner $$) || exit 1
"$build/client_kafka" topic "$address" load 6 || exit 1
"$build/client_kafka_produce" load "$address" load "$events" 1000000 >/dev/null || exit 1
"$build/client_kafka" topic "$address" small 6 || exit 1
"$build/client_kafka_produce" small "$address" small $((2 * events)) >/dev/null || exit 1

timed() { # timed FILE COMMAND...: append "wall cpu" in seconds
    local file=$1
    shift
    TIMEFORMAT='%R %U %S'
    { time "$@" >/dev/null 2>"$work/stderr"; } 2>"$work/time" || {
        echo "failed: $*" >&2
        cat "$work/stderr" >&2
        exit 1
    }
    awk '{ print $1, $2 + $3 }' "$work/time" >>"$file"
}

with_kcat() {
    timed "$work/kcat" kcat -b "$address" -C -t load -e -q -o beginning
}

broker_cpu() { # what the broker has used until now, in seconds
    awk -v tick="$(getconf CLK_TCK)" '{ print ($14 + $15) / tick }' "/proc/$(cat "$work/kafka/1.pid")/stat"
}

with_tapedeck() {
    local before
    before=$(broker_cpu)
    timed "$work/record" "$build/tapedeck" record --tape "$work/tape" --from beginning --until end \
        "kafka://$address/load"
    echo "0 $(broker_cpu) $before" | awk '{ print $1, $2 - $3 }' >>"$work/broker"
}

# The most memory of recording TOPIC onto $work/TOPIC, in MB, as it is while it goes on: not one of those that are timed.
peak_memory() {
    local now peak=0 pid
    "$build/tapedeck" record --tape "$work/$1" --from beginning --until end "kafka://$address/$1" \
        >/dev/null 2>"$work/stderr" &
    pid=$!
    while now=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$pid/status" 2>/dev/null) && [ -n "$now" ]; do
        peak=$now
        sleep 0.05
    done
    wait "$pid" || {
        cat "$work/stderr" >&2
        return 1
    }
    echo $((peak / 1024))
}

for ((round = 0; round <= rounds; round++)); do
    with_kcat
    rm -rf "$work/tape"
    with_tapedeck
    # The first round warms the broker and the page cache.
    [ "$round" -gt 0 ] || rm "$work/kcat" "$work/record" "$work/broker"
done
rm -rf "$work/tape"
memory=$(peak_memory load) || exit 1
small_memory=$(peak_memory small) || exit 1

expect_events() { # expect_events TOPIC COUNT
    local recorded
    recorded=$("$build/tapedeck" search --tape "$work/$1" --count --json "stream=$1" |
        sed -n 's/.*"matched":"\([0-9]*\)".*/\1/p')
    [ "$recorded" = "$2" ] || {
        echo "the tape of $1 holds $recorded events, not $2" >&2
        exit 1
    }
}

expect_events load "$events"
expect_events small $((2 * events))

median() { # median FILE COLUMN
    sort -n -k "$2,$2" "$1" | awk -v column="$2" '{ v[NR] = $column } END {
        print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

range() { # range FILE: least and greatest wall time
    sort -n "$1" | awk 'NR == 1 { least = $1 } END { print least ".." $1 }'
}

show() { # show NAME FILE
    awk -v name="$1" -v wall="$(median "$2" 1)" -v cpu="$(median "$2" 2)" -v range="$(range "$2")" \
        -v events="$events" 'BEGIN {
        printf "%-10s %6.2f s wall (%s), %5.2f s cpu, %7.0f events/s\n", name, wall, range, cpu, events / wall }'
}

echo "record $events events of ~300 B with two headers, six partitions; median of $rounds"
show kcat "$work/kcat"
show record "$work/record"
awk -v ours="$(median "$work/record" 1)" -v theirs="$(median "$work/kcat" 1)" \
    -v ours_cpu="$(median "$work/record" 2)" -v theirs_cpu="$(median "$work/kcat" 2)" \
    -v events="$events" -v memory="$memory" -v small="$small_memory" '
    function budget(name, value, unit, most) {
        printf "%-10s %6.2f %s (budget %s: %s)\n", name, value, unit, most, value <= most ? "ok" : "MISS"
        missed += value > most
    }
    BEGIN {
        budget("ratio", ours / theirs, "of kcat in wall time", 1.3)
        budget("processor", ours_cpu * 1e6 / events, "us for an event", 2)
        printf "%-10s %6.2f us for an event: kcat\n", "", theirs_cpu * 1e6 / events
        budget("memory", memory, "MB at most", 220)
        budget("", small, "MB at most, events of a few bytes", 220)
        exit missed > 0
    }'
code=$?
# When the cores are busy, less time means less work: how fast it could be with this much of it.
awk -v wall="$(median "$work/record" 1)" -v ours="$(median "$work/record" 2)" \
    -v broker="$(median "$work/broker" 2)" -v cores="$(nproc)" -v theirs="$(median "$work/kcat" 1)" 'BEGIN {
    printf "cores      %6.2f busy of %d while recording: ours %.2f s, the broker %.2f s; with all of them busy the ratio is %.2f\n",
        (ours + broker) / wall, cores, ours, broker, (ours + broker) / cores / theirs }'
du -sk "$work/load" | awk -v events="$events" '{ printf "tape       %6.1f MB, %.0f bytes/event\n", $1 / 1024, $1 * 1024 / events }'
exit $code
