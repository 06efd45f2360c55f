#!/bin/bash
# test_nothing.sh - `record --until end` onto a new tape records nothing, says so, and the way out that it
# names is one.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker
topic=$(unique nothing)

says_the_way_out() {
    timeout 30 "$tapedeck" record --tape "$work/tape" --until end "kafka://$address/$topic" >"$work/said" 2>&1
    code=$?
    cat "$work/said"
    [ "$code" = 0 ] && [ "$(grep -c -- '--from beginning into a new --tape' "$work/said")" = 1 ]
}

says_nothing_of_it() {
    record_to_end "$work/new" "$topic" >"$work/said" 2>&1 || return
    cat "$work/said"
    ! grep -q 'a new --tape' "$work/said"
}

need "$client" topic "$address" "$topic" 2
need "$producer" produce "$address" "$topic" 0 50
check "nothing is recorded, and it is said once" says_the_way_out
check "the way out records" says_nothing_of_it
check "everything" same_as_topic "$work/new" "$topic"
finish
