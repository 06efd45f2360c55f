#!/bin/bash
# test_lag_recorded.sh - groups watched by a recorder on a real broker: samples on the tape, lag at once, a
# stop that waits for no broker.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
unset KAFKA_ADDRESS # this one is stopped on the way
need_broker --log-requests
orders=orders
other=other
away=away
tape=$work/tape

printf '[lag]\ninterval = 1s\ngroups = g-*\n' >"$work/tapedeck.conf"

commit() { # commit GROUP TOPIC PARTITION OFFSET
    "$client" commit "$address" "$@"
}

lag() { # lag ARGUMENT...: what the recorder knows, as JSON into $work/lag.json
    timeout 20 "$tapedeck" lag --json --tape "$tape" "$@" >"$work/lag.json" 2>"$work/lag.err"
}

knows() { # knows TEXT...: each is in what the recorder knows
    lag || return
    cat "$work/lag.json" "$work/lag.err"
    grep -q '^tapedeck: from the recorder' "$work/lag.err" || return
    for text in "$@"; do
        grep -qF "$text" "$work/lag.json" || return
    done
}

exits() { # exits CODE COMMAND...
    local wanted=$1 code
    shift
    "$@"
    code=$?
    echo "exit code $code, wanted $wanted"
    [ "$code" = "$wanted" ]
}

forgets() { # forgets TEXT
    knows '"group":"g-front"' && ! grep -qF "$1" "$work/lag.json"
}

# The same numbers as another client's, of the groups and topics that are watched.
same_numbers() {
    timeout 60 "$client" state "$address" | python3 "$here/lag_lines.py" state |
        grep "^g-[a-z]* $orders " >"$work/wanted.lines"
    lag || return
    python3 "$here/lag_lines.py" lag <"$work/lag.json" >"$work/seen.lines" || return
    [ -s "$work/wanted.lines" ] && same_lines "$work/wanted.lines" "$work/seen.lines"
}

went_back() {
    knows '"state":"REWIND"' '"again_from":"20","again_to":"89"'
}

# The past of a group, from the tape: first 90 was committed, later 20.
past_is_on_the_tape() {
    timeout 20 "$tapedeck" events --json --tape "$tape" "stream=@lag key=\"g-back $orders\"" >"$work/past"
    cat "$work/past"
    head -n 1 "$work/past" | grep -qF '\"committed\":\"90\"' || return
    tail -n 2 "$work/past" | grep -qF '\"committed\":\"20\"'
}

# What `lag` advises must work where it was said: the recorder knows the broker.
stuck_needs_no_url() {
    timeout 30 "$tapedeck" stuck --stall-after 1 --group g-front --tape "$tape" >"$work/stuck.out" || return
    cat "$work/stuck.out"
    grep -q '^g-front  orders\[1\]  STOP' "$work/stuck.out"
}

counts_only_what_was_recorded() {
    timeout 20 "$tapedeck" search --count --json --tape "$tape" '' >"$work/count"
    timeout 20 "$tapedeck" streams --json --tape "$tape" >"$work/streams"
    cat "$work/count" "$work/streams"
    grep -q '"matched":"1200"' "$work/count" && [ "$(wc -l <"$work/streams")" = 1 ]
}

comes_back_from_an_export() {
    timeout 20 "$tapedeck" export --tape "$tape" 'stream=@lag' >"$work/export" &&
        timeout 20 "$tapedeck" import --tape "$work/copy" <"$work/export" &&
        timeout 20 "$tapedeck" export --tape "$work/copy" 'stream=@lag' >"$work/again" &&
        sed -i 's/"seq":"[0-9]*"/"seq":"?"/' "$work/export" "$work/again" &&
        same_lines "$work/export" "$work/again" && [ "$(wc -l <"$work/export")" -gt 2 ]
}

only_reads() {
    grep 'kafka.request.logger' "$cluster/1.log" | grep '"clientId":"tapedeck"' |
        sed -n 's/.*"requestApiKeyName":"\([A-Z_0-9]*\)".*/\1/p' | sort | uniq -c >"$work/requests"
    cat "$work/requests"
    grep -q ' OFFSET_FETCH$' "$work/requests" || return
    ! grep -vE ' (API_VERSIONS|METADATA|LIST_OFFSETS|FETCH|LIST_GROUPS|DESCRIBE_GROUPS|FIND_COORDINATOR|OFFSET_FETCH)$' \
        "$work/requests"
}

tells_the_loss_of_the_broker() {
    timeout 20 "$tapedeck" events --json --tape "$tape" 'stream=@taps' >"$work/taps"
    cat "$work/taps"
    grep -qF '\"state\":\"retrying\"' "$work/taps"
}

stops_without_the_broker() {
    local began ended
    began=$(date +%s%N)
    stop_gently "$recorder" || return
    ended=$(date +%s%N)
    echo "took $(((ended - began) / 1000000)) ms" | tee "$work/took"
    [ $((ended - began)) -lt 5000000000 ]
}

need "$client" topic "$address" "$orders" 6
need "$client" topic "$address" "$other" 1
need "$producer" produce "$address" "$orders" 0 1200
need commit g-front "$orders" 0 200
need commit g-front "$orders" 1 7
need commit g-back "$orders" 1 90
need commit g-else "$other" 0 0
need commit hidden "$orders" 0 5

start recorder "$tapedeck" record --config "$work/tapedeck.conf" --tape "$tape" --from beginning \
    "kafka://$address/$orders,^$away\$"
recorder=$pid
check "the recorder knows its groups" wait_until 30 "lag is known" knows '"group":"g-front"' '"group":"g-back"'
check "no others, and the numbers are another client's" same_numbers
need commit g-back "$orders" 1 20
check "a commit that goes back is seen, with what runs again" wait_until 30 "a rewind" went_back
check "a check of what the recorder knows" exits 10 lag --fail-on REWIND
check "the broker of the recorder need not be named" stuck_needs_no_url
check "what was seen is on the tape" past_is_on_the_tape
check "and does not count as recorded" counts_only_what_was_recorded
need "$client" topic "$address" "$away" 1
need commit g-away "$away" 0 0
check "a group of another topic" wait_until 30 "it is known" knows '"group":"g-away"'
need "$client" delete "$address" "$away"
check "what is deleted is told no more" wait_until 30 "it is gone" forgets '"group":"g-away"'
check "it can be exported and imported" comes_back_from_an_export
check "it asked for nothing but to read" only_reads
need "$broker_script" stop "$cluster"
check "the loss of the broker is told" wait_until 60 "it is on the tape" tells_the_loss_of_the_broker
check "a stop does not wait for the broker" stops_without_the_broker
finish
