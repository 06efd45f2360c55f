#!/bin/bash
# test_holes.sh - what the holes of a tape are: aborted events, markers, what was not recorded, is in an open
# transaction, was deleted since, and all unknown with a broker that is away or a topic that was made anew,
# each offset counted; and asking changes nothing at the broker.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
unset KAFKA_ADDRESS # asking must change nothing, so nobody else may
need_broker
topic=$(unique holes)
tape=$work/tape

holes() { # holes [ARGUMENT]...
    timeout 60 "$tapedeck" tape holes --tape "$tape" --json "$@" >"$work/holes.json"
}

explained() { # explained TEXT: the done line's counts
    holes --explain --url "kafka://$address" "stream=$topic" || return
    cat "$work/holes.json"
    tail -n 1 "$work/holes.json" | grep -qF "$1"
}

counts() { # counts ABORTED NO_EVENT DELETED NOT_RECORDED UNDECIDED UNKNOWN
    printf '"counts":{"ABORTED":"%d","NO_EVENT":"%d","DELETED":"%d","NOT_RECORDED":"%d","UNDECIDED":"%d","UNKNOWN":"%d"}' "$@"
}

state() {
    "$client" state "$address" | sort
}

# 0..9 events, 10..14 aborted, 15 its marker, 16..20 committed, 21 its marker, 22..26 events.
need "$client" topic "$address" "$topic" 1
need "$producer" produce "$address" "$topic" 0 10
need "$producer" transact "$address" "$topic" 10 5 abort
need "$producer" transact "$address" "$topic" 20 5 commit
need "$producer" produce "$address" "$topic" 30 5
need record_to_end "$tape" "$topic"
state >"$work/state.before"
check "the holes are listed without asking anyone" holes
check "two of them, with seven offsets" grep -q '"matched":"2","complete":true,"offsets":"7","counts":null' "$work/holes.json"
check "five are aborted, two have no event" explained "$(counts 5 2 0 0 0 0)"
check "the log is known by its last event" grep -q '"same_log":true' "$work/holes.json"
state >"$work/state.after"
check "asking changed nothing at the broker" same_lines "$work/state.before" "$work/state.after"
check "as text" timeout 60 "$tapedeck" tape holes --tape "$tape" --explain --url "kafka://$address"
check "a query narrows" holes "$topic[0]@15..15"
check "to one" grep -q '"matched":"1"' "$work/holes.json"
check "what is not reached is unknown, and exit code 1" refused 1 12 tape holes --tape "$tape" --explain --quiet --max-bytes 1 --url "kafka://$address"
check "a sentence says how many, and why" grep -q 'not complete: [0-9]* offsets stay unknown, first of ' "$work/refused.err"
check "nobody is known to be asked" refused 2 10 tape holes --tape "$tape" --explain
check "a broker that is away is exit code 4" refused 4 8 tape holes --tape "$tape" --explain --quiet --url kafka://127.0.0.1:1
check "the holes are listed all the same, as unknown" grep -q '6 unknown: 10..15' "$work/refused.out"

# 27..36 are left out, 37..41 are in a transaction that stays open, and the log begins at 16 now.
need "$producer" produce "$address" "$topic" 35 10
need "$producer" transact "$address" "$topic" 45 5 open
need timeout 60 "$tapedeck" record --tape "$tape" --from end --until end --isolation read_uncommitted "kafka://$address/$topic"
need "$client" trim "$address" "$topic" 0 16
check "six are deleted since, ten not recorded, five undecided" explained "$(counts 0 1 6 10 5 0)"
check "the log is still the one that was recorded" grep -q '"log_start":"16","end":"42","same_log":true' "$work/holes.json"

need "$client" delete "$address" "$topic"
need wait_until 20 "the topic can be made again" "$client" topic "$address" "$topic" 1
need wait_until 20 "it is known" "$producer" produce "$address" "$topic" 100 3
check "of another log nothing is believed" refused 1 20 tape holes --tape "$tape" --explain --quiet --url "kafka://$address" "stream=$topic"
check "all are unknown, and it is said why" grep -q 'not complete: 22 offsets stay unknown, .*made anew' "$work/refused.err"
finish
