#!/bin/bash
# test_many_topics.sh - 200 topics of 5 partitions by an expression, under load: one more is made while they are recorded,
# the recorder is killed and comes back, and each event is on the tape exactly once.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker
base=$(unique many)
tape=$work/tape
total=0

spread() { # spread COUNT: so many more events, over all topics
    "$producer" spread "$address" "$base" 200 "$total" "$1" || return
    total=$((total + $1))
}

# What the broker has of them, which is what counts: a producer may be told too much.
count_on_broker() {
    local count
    count=$(timeout 60 "$client" state "$address" |
        awk -v base="$base-" '$1 == "offsets" && index($2, base) == 1 { sum += $5 - $4 } END { print sum + 0 }')
    [ "$count" = "$1" ] || echo "the broker has $count of $1 acknowledged events" >&2
    echo "$count"
}

record() { # in the background; $pid
    start recorder "$tapedeck" record --no-lag --tape "$tape" --from beginning "kafka://$address/^$base-.*"
}

count_on_tape() {
    "$tapedeck" streams --tape "$tape" --json | python3 -c '
import json, sys
print(sum(int(line["events"]) for line in map(json.loads, sys.stdin) if "stream" in line))'
}

has_at_least() { # has_at_least COUNT
    local count
    count=$(count_on_tape)
    [ "$count" -ge "$1" ] && return
    echo "$count events are on the tape; offsets that are not:"
    "$tapedeck" tape holes --tape "$tape" | head -n 20
    return 1
}

has_no_hole() { # each partition begins at 0 and nothing is missing in it
    "$tapedeck" tape holes --json --tape "$tape" >"$work/holes" || return
    ! grep -v '"done":true' "$work/holes"
}

has_exactly() { # has_exactly COUNT
    [ "$(count_on_tape)" = "$1" ] || { has_at_least "$1"; return 1; }
}

sample_is_the_same() { # the topics in $sample, byte for byte
    local number
    for number in $sample; do
        echo "topic $base-$number"
        same_as_topic "$tape" "$base-$number" || return
    done
}

need "$client" topics "$address" "$base" 200 5
need spread 8000
wanted=$(count_on_broker 8000)
record
recorder=$pid
check "all topics are recorded" wait_until 60 "$wanted events are there" has_at_least "$wanted"
need "$client" topic "$address" "$base-new" 5
need "$producer" produce "$address" "$base-new" 0 500
total_new=500
wanted=$(count_on_broker 8500)
check "a topic that is made meanwhile is, too" wait_until 60 "it is there" has_at_least "$wanted"
start load "$producer" spread "$address" "$base" 200 8000 12000
load=$pid
check "it goes on" wait_until 60 "more events are there" has_at_least $((wanted + 1))
kill -9 "$recorder"
check "the load ends" ends_well "$load" 60
total=20000
wanted=$(count_on_broker $((total + total_new)))
record
check "killed and started again, it has all of them" wait_until 90 "all are there" has_at_least "$wanted"
need spread 1000
need "$producer" produce "$address" "$base-new" 500 100
total_new=600
wanted=$(count_on_broker $((total + total_new)))
check "and goes on" wait_until 60 "all are there" has_at_least "$wanted"
check "the recorder stops well" stop_gently "$pid"
check "none is twice" has_exactly "$wanted"
check "none is missing in between" has_no_hole
sample="new $(shuf -i 0-199 -n 4 | tr '\n' ' ')"
check "a sample is the same byte for byte: $sample" sample_is_the_same
check "tape verify finds nothing wrong" "$tapedeck" tape verify --tape "$tape"
finish
