#!/bin/bash
# test_group.sh - two recorders share a topic as members of a group: what one loses the other takes over, a
# kill -9 under load costs nothing, and both tapes together are the topic.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker --set group.initial.rebalance.delay.ms=0

config() { # config NAME: a tap as member of the group
    printf '[tap.shop]\nbrokers = %s\ntopics = orders\nmode = group\ngroup = recorders\nfrom = beginning\n' "$address"
    printf 'kafka.session.timeout.ms = 6000\nkafka.heartbeat.interval.ms = 500\n'
}

record() { # record NAME: in the background, onto the tape NAME; $pid
    start "$1" "$tapedeck" --config "$work/tap.conf" record --tape "$work/$1"
}

has_share() { # has_share NAME COUNT: the last thing its log says about the group
    grep -o 'reason="group [^"]*"' "$work/$1.err" | tail -1 | grep -E "; $2 partitions? (is|are) now ours"
}

committed() { # "PARTITION OFFSET" of the recorders' group
    "$client" state "$address" | sed -n 's/^committed recorders orders //p' | sort
}

# What others see of the cluster: all but our group, and the topic that grows.
others() {
    "$client" state "$address" | grep -vE ' (recorders|orders|__consumer_offsets) ' | sort
}

others_are_as_before() {
    others >"$work/others.now" && same_lines "$work/others" "$work/others.now"
}

# Every event below a committed offset is on one of the tapes. What is committed is asked first: tapes only grow.
nothing_is_committed_too_early() {
    committed >"$work/committed" && [ -s "$work/committed" ] || return
    for tape in a b; do
        timeout 120 "$tapedeck" events --tape "$work/$tape" --json || return
    done >"$work/both.json"
    python3 - "$work/committed" "$work/both.json" <<'PYTHON'
import json, sys
taped = set()
for line in open(sys.argv[2]):
    event = json.loads(line)
    if "offset" in event:
        taped.add((event["partition"], int(event["offset"])))
for line in open(sys.argv[1]):
    partition, offset = map(int, line.split())
    missing = [o for o in range(offset) if (partition, o) not in taped]
    if missing:
        sys.exit(f"partition {partition}: {offset} is committed, {len(missing)} are on no tape: {missing[:5]}")
print(f"{len(taped)} events are on the tapes")
PYTHON
}

everything_is_committed() {
    [ "$(committed | wc -l)" = 6 ] || return
    "$client" state "$address" | sed -n 's/^offsets orders \([0-9]*\) [0-9]* /\1 /p' | sort >"$work/ends"
    committed | diff "$work/ends" -
}

merged_is_the_topic() {
    timeout 120 "$tapedeck" import --json --tape "$work/merged" "$work/a" "$work/b" >"$work/merged.json" || return
    cat "$work/merged.json"
    same_as_topic "$work/merged" orders
}

merged_from_exports_is_the_topic() {
    timeout 120 "$tapedeck" export --tape "$work/a" >"$work/a.ndjson" &&
        timeout 120 "$tapedeck" export --tape "$work/b" --tape-file "$work/b.tar.zst" || return
    timeout 120 "$tapedeck" import --tape "$work/merged-2" "$work/b.tar.zst" "$work/a.ndjson" || return
    same_as_topic "$work/merged-2" orders
}

merged_has_no_hole() {
    timeout 60 "$tapedeck" streams --tape "$work/merged" --json | tee "$work/streams.json"
    grep -q '"stream":"orders"' "$work/streams.json" && ! grep -q '"reason"' "$work/streams.json"
}

# On one tape nothing is twice, whatever happened.
has_nothing_twice() { # has_nothing_twice NAME
    tape_lines "$work/$1" orders | cut -d ' ' -f 1,2 | sort | uniq -d >"$work/twice"
    head "$work/twice"
    [ ! -s "$work/twice" ]
}

tap_is_listed() {
    "$tapedeck" --config "$work/tap.conf" tap list --json | grep '"mode":"group","group":"recorders"'
}

tells_rebalances() { # tells_rebalances NAME
    "$tapedeck" events --tape "$work/$1" --json 'stream=@taps' | grep -c rebalance
}

config >"$work/tap.conf"
need "$client" topic "$address" orders 6
need "$client" topic "$address" audit 2
need "$producer" produce "$address" audit 0 100
need "$client" commit "$address" billing audit 0 7
need others
others >"$work/others"
check "tap list says that it is a member" tap_is_listed
check "tap test finds nothing wrong" timeout 60 "$tapedeck" --config "$work/tap.conf" tap test shop

start load "$producer" stream "$address" orders 400 14000
load=$pid
record a
a=$pid
check "the first recorder gets all partitions" wait_until 30 "a has 6" has_share a 6
record b
b=$pid
check "the second one gets its share" wait_until 60 "b has 3" has_share b 3
check "and the first one gives it" wait_until 60 "a has 3" has_share a 3
check "nothing is committed that is on no tape" nothing_is_committed_too_early
sleep_until_behind() { # the second recorder has taken something of its own
    [ "$(timeout 60 "$tapedeck" events --tape "$work/b" --json --limit 50 | wc -l)" -ge 50 ]
}
check "the second one records" wait_until 30 "b has events" sleep_until_behind
kill -9 "$b"
check "nothing was committed too early when it is killed" nothing_is_committed_too_early
check "the first one takes its partitions over" wait_until 60 "a has 6" has_share a 6
record b
b=$pid
check "the killed one comes back and gets a share" wait_until 60 "b has 3" has_share b 3
check "the load ends" ends_well "$load" 120
check "everything is committed soon" wait_until 30 "commits are at the ends" everything_is_committed
check "the second one stops well" stop_gently "$b"
check "the first one has all again" wait_until 60 "a has 6" has_share a 6
need "$producer" produce "$address" orders 20000 600
check "and commits that too" wait_until 30 "commits are at the ends" everything_is_committed
check "the first one stops well" stop_gently "$a"
check "nothing is committed that is on no tape at the end" nothing_is_committed_too_early
check "the first tape has nothing twice" has_nothing_twice a
check "the second tape has nothing twice" has_nothing_twice b
check "rebalances are on the first tape" tells_rebalances a
check "rebalances are on the second tape" tells_rebalances b
check "both together are the topic, each event once" merged_is_the_topic
check "the merged tape has no hole" merged_has_no_hole
check "an export and a packed tape come to the same" merged_from_exports_is_the_topic
check "other topics and groups are as they were" others_are_as_before
finish
