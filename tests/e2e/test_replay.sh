#!/bin/bash
# test_replay.sh - a plan sends nothing, a run needs the target's name spelt out, and what it sends is what
# was recorded: same partitions, order, times, keys, headers and payloads, and only our own headers behind.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker

source_topic=$(unique source)
target_topic=$(unique target)
other_topic=$(unique other)
tape=$work/tape
plan=$work/plan.json
provenance=x782d746170656465636b2d # "x-tapedeck-", as a dump prints it

fill_source() {
    "$client" topic "$address" "$source_topic" 4 max.message.bytes=8388608 || return
    "$producer" produce "$address" "$source_topic" 0 4000 || return
    "$producer" transact "$address" "$source_topic" 4000 100 abort || return
    "$producer" produce "$address" "$source_topic" 4100 4000 || return
    "$producer" big "$address" "$source_topic" 3000000
}

make_target() { # make_target TOPIC
    "$client" topic "$address" "$1" 4 max.message.bytes=8388608
}

# What must be the same in source and target: everything but the offset and our own headers.
essence() {
    cut -d ' ' -f 1,3- | sed -E "s/,?$provenance[0-9a-f]*=(null|x[0-9a-f]*)//g; s/\[,/[/"
}

selected_lines() { # the events that the query of the plan selects, from the source itself
    topic_lines "$source_topic" | awk '$2 >= 300 && $2 <= 1800' | essence
}

is_empty() { # is_empty TOPIC
    topic_lines "$1" >"$work/empty.lines" || return
    [ ! -s "$work/empty.lines" ] || { echo "there are events:"; head -c 300 "$work/empty.lines"; return 1; }
}

make_plan() { # make_plan TOPIC FILE
    timeout 60 "$tapedeck" replay plan --tape "$tape" --to "kafka://$address/$1" --out "$2" --speed max \
        "stream=$source_topic and offset>=300 and offset<=1800"
}

run_plan() {
    timeout 120 "$tapedeck" replay run "$plan" --tape "$tape" --confirm "$target_topic"
}

plan_id() { # plan_id FILE
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["id"])' "$1"
}

target_is_the_selection() { # target_is_the_selection TOPIC
    selected_lines >"$work/source.essence" || return
    topic_lines "$1" | essence >"$work/target.essence" || return
    [ -s "$work/source.essence" ] || return
    same_lines "$work/source.essence" "$work/target.essence"
}

every_event_is_marked() {
    topic_lines "$target_topic" >"$work/target.lines" || return
    [ -s "$work/target.lines" ] || return
    ! grep -v "$provenance" "$work/target.lines" >"$work/unmarked" || { head -c 300 "$work/unmarked"; return 1; }
}

# Killed while it sends, gone on with, as often as it takes; slow enough to be killed in the middle.
kill_and_resume() {
    local id round
    "$tapedeck" replay plan --tape "$tape" --to "kafka://$address/$other_topic" --out "$work/other.json" \
        --speed 1500/s "stream=$source_topic and offset>=300 and offset<=1800" >/dev/null || return
    id=$(plan_id "$work/other.json")
    start run "$tapedeck" replay run "$work/other.json" --tape "$tape" --confirm "$other_topic"
    for round in 1 2 3; do
        sleep "0.$((5 + RANDOM % 5))"
        ended "$pid" && break
        kill -9 "$pid"
        wait "$pid" 2>/dev/null
        start run "$tapedeck" replay run "$id" --resume --tape "$tape" --confirm "$other_topic"
    done
    [ "$round" -gt 1 ] || { echo "it ended before it could be killed"; return 1; }
    ends_well "$pid" 60 || { cat "$work/run.err"; return 1; }
}

need fill_source
need make_target "$target_topic"
need make_target "$other_topic"
need record_to_end "$tape" "$source_topic"

check "plan" make_plan "$target_topic" "$plan"
check "a plan sends nothing" is_empty "$target_topic"
check "run without --confirm is refused" refused 5 10 replay run "$plan" --tape "$tape"
check "run with another name is refused" refused 5 10 replay run "$plan" --tape "$tape" --confirm orders
check "run with the source's name is refused" \
    refused 5 10 replay run "$plan" --tape "$tape" --confirm "$source_topic"
need record_to_end "$work/twin" "$source_topic"
check "run on a tape that the plan was not made from is refused" \
    refused 5 10 replay run "$plan" --tape "$work/twin" --confirm "$target_topic"
ln -s /dev/full "$work/full"
check "a plan that goes to a full device is an error, and leaves the device" \
    refused 7 10 replay plan --tape "$tape" --to "kafka://$address/$target_topic" --out "$work/full"
check "it is still a device" test -c "$work/full"
answer_is_lost() { # answer_is_lost ARGUMENT...: what cannot be printed is an error
    timeout 20 "$tapedeck" replay "$@" --tape "$tape" >/dev/full
    [ $? = 7 ]
}
check "a plan that cannot be printed is an error" \
    answer_is_lost plan --to "kafka://$address/$target_topic" "stream=$source_topic"
check "refused runs send nothing" is_empty "$target_topic"
check "run with the target's name" run_plan
check "the target holds the selection, byte for byte, in order" target_is_the_selection "$target_topic"
check "every event says where it comes from" every_event_is_marked
check "verify" timeout 60 "$tapedeck" replay verify "$(plan_id "$plan")" --tape "$tape"
check "a verification that cannot be printed is an error" answer_is_lost verify "$(plan_id "$plan")"
check "the same plan is not run twice" refused 5 10 replay run "$plan" --tape "$tape" --confirm "$target_topic"
check "a run that is killed goes on where it was" kill_and_resume
check "and has sent everything once" target_is_the_selection "$other_topic"
check "verify it" timeout 60 "$tapedeck" replay verify "$(plan_id "$work/other.json")" --tape "$tape"

ledger_tells_it_all() {
    local told
    told=$("$tapedeck" replay log "$(plan_id "$plan")" --tape "$tape" | awk 'NR > 1 {printf "%s-%s ", $3, $4}')
    [ "$told" = "plan-planned run-done verify-matches verify-matches run-refused " ] || { echo "told: $told"; return 1; }
    [ -s "$tape/pins/replay-$(plan_id "$plan")" ]
}
check "the ledger has each deed, and the plan's events are pinned" ledger_tells_it_all

sed 's/"events": *"\{0,1\}[0-9]*/"events":"7/' "$plan" >"$work/changed.json"
check "a plan that was changed by hand is refused" \
    refused 5 10 replay run "$work/changed.json" --tape "$tape" --confirm "$target_topic"
check "the source is as it was" same_as_topic "$tape" "$source_topic"
finish
