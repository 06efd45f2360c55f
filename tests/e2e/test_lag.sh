#!/bin/bash
# test_lag.sh - lag on a real broker: the numbers are those that another client reads, states are what was
# done to the groups, and looking changed nothing.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
unset KAFKA_ADDRESS # groups of other scripts would come and go
need_broker --log-requests
orders=orders
poison=poison
open=open
url=kafka://$address

lag() { # lag ARGUMENT...: as JSON into $work/lag.json
    timeout 60 "$tapedeck" lag --json "$@" >"$work/lag.json"
}

commit() { # commit GROUP TOPIC PARTITION OFFSET
    "$client" commit "$address" "$@"
}

topic_names() {
    kcat -L -b "$address" | grep -c '^  topic "__consumer_offsets"'
}

changes_nothing_on_a_new_broker() {
    lag "$url" && [ ! -s "$work/lag.json" ] && [ "$(topic_names)" = 0 ]
}

same_numbers() {
    timeout 60 "$client" state "$address" >"$work/before.state" || return
    lag "$url" || return
    timeout 60 "$client" state "$address" >"$work/after.state" || return
    python3 "$here/lag_lines.py" state <"$work/after.state" >"$work/wanted.lines" || return
    python3 "$here/lag_lines.py" lag <"$work/lag.json" >"$work/seen.lines" || return
    [ -s "$work/wanted.lines" ] && same_lines "$work/wanted.lines" "$work/seen.lines" &&
        same_lines "$work/before.state" "$work/after.state"
}

state_is() { # state_is GROUP TOPIC PARTITION STATE
    python3 "$here/lag_lines.py" states <"$work/lag.json" >"$work/states.lines"
    cat "$work/states.lines"
    grep -qxF "$*" "$work/states.lines"
}

exits() { # exits CODE COMMAND...
    local wanted=$1 code
    shift
    "$@"
    code=$?
    echo "exit code $code, wanted $wanted"
    [ "$code" = "$wanted" ]
}

# A member that has everything, and keeps it while the script looks.
has_read_all() { # has_read_all GROUP TOPIC PARTITION
    lag --samples 1 "$url" && state_is "$@" OK
}

# No event is to blame when a consumer of committed events waits for a producer.
open_transaction_is_named() {
    lag --group waits --stall-after 1 --samples 3 "$url" && cat "$work/lag.json" &&
        grep -q '"state":"STALL".*a transaction that began at @5 is open, and 3 events wait' "$work/lag.json"
}

# Two instances of one program on one host: whose partition is whose must be told.
namesakes_are_told_apart() {
    lag --samples 1 --group twins "$url" &&
        python3 "$here/lag_lines.py" members <"$work/lag.json" >"$work/members.lines" || return
    cat "$work/members.lines"
    [ "$(grep -c '^twins twin-[0-9a-f]\{8\}/' "$work/members.lines")" = 2 ]
}

# What tapedeck asked of the broker so far: one request's name a line.
requests() {
    grep 'kafka.request.logger' "$cluster/1.log" | grep '"clientId":"tapedeck"' |
        sed -n 's/.*"requestApiKeyName":"\([A-Z_0-9]*\)".*/\1/p'
}

asked_more() { # asked_more COUNT: so many requests for commits, at least
    requests | grep -c '^OFFSET_FETCH$' >"$work/asked"
    cat "$work/asked"
    [ "$(cat "$work/asked")" -ge "$1" ]
}

has_no_commit_yet() {
    lag --group fruitless "$url" && grep '"next":"its member has just begun' "$work/lag.json"
}

names_the_fruitless() { # the row that it has no more cannot tell of it
    timeout 60 "$tapedeck" lag "$url" 2>&1 | tee "$work/fruitless.out" | grep -q '^fruitless' && return 1
    cat "$work/fruitless.out"
    grep -q '^tapedeck: group fruitless: it has no member now and never committed' "$work/fruitless.out"
}

only_reads() {
    requests | sort | uniq -c >"$work/requests"
    cat "$work/requests"
    grep -q ' OFFSET_FETCH$' "$work/requests" || { echo "no OFFSET_FETCH: the log is not what it should be"; return 1; }
    ! grep -vE ' (API_VERSIONS|METADATA|LIST_OFFSETS|FETCH|LIST_GROUPS|DESCRIBE_GROUPS|FIND_COORDINATOR|OFFSET_FETCH)$' \
        "$work/requests"
}

went_back() {
    local before
    before=$(requests | grep -c '^OFFSET_FETCH$')
    start lag "$tapedeck" lag --json --samples 8 --interval 0.5 "$url/$orders"
    local watcher=$pid
    # One request per group: the first sample is whole when one of the second is made.
    wait_until 10 "it has taken a sample" asked_more $((before + 6)) && commit back "$orders" 1 20 &&
        ends_well "$watcher" 30 || return
    cp "$work/lag.out" "$work/lag.json"
    state_is back "$orders" 1 REWIND && grep -q '"again_from":"20","again_to":"89"' "$work/lag.json"
}

shows_the_stuck_event() {
    timeout 60 "$tapedeck" stuck --stall-after 1 --group careful "$url" >"$work/stuck.out" || return
    cat "$work/stuck.out"
    grep -q 'stands at: @2 ' "$work/stuck.out" && grep -q 'last good: @1 ' "$work/stuck.out" &&
        grep -q 'the payload is not valid JSON: byte 11' "$work/stuck.out" &&
        ! LC_ALL=C grep -q -a -P '\x1b' "$work/stuck.out"
}

check "a broker without groups stays one" changes_nothing_on_a_new_broker
need "$client" topic "$address" "$orders" 6
need "$client" topic "$address" "$poison" 1
need "$producer" produce "$address" "$orders" 0 1200
need commit front "$orders" 0 200
need commit front "$orders" 1 7
need commit back "$orders" 1 90
need commit middle "$orders" 5 100
for text in '{"amount":1}' '{"amount":2}' $'{"amount":"\e[2J"}' '{"amount":4}'; do
    printf '%s' "$text" | need kcat -P -b "$address" -t "$poison" -p 0
done
need commit careful "$poison" 0 2

check "the numbers are another client's, and nothing changed" same_numbers
start member kcat -b "$address" -G alive -X auto.offset.reset=earliest -X auto.commit.interval.ms=200 "$orders"
member=$pid
check "a member keeps up" wait_until 30 "the group is OK" has_read_all alive "$orders" 0
check "the numbers with a member are the same too" same_numbers
check "a commit that went back" went_back
check "a check of states" exits 10 lag --fail-on STOP,STALL --stall-after 2 --interval 1 "$url/$poison"
check "a check of seconds" exits 10 lag --max-seconds 0.001 "$url/$poison"
check "a check that finds nothing" exits 0 lag --fail-on STOP,STALL --samples 2 --group alive "$url"
check "the stuck event, beside the last good one" shows_the_stuck_event
need "$client" topic "$address" "$open" 1
need "$producer" produce "$address" "$open" 0 5
start waiting kcat -b "$address" -G waits -X auto.offset.reset=earliest -X auto.commit.interval.ms=200 "$open"
waiting=$pid
check "what is committed is read" wait_until 30 "it is OK" has_read_all waits "$open" 0
need "$producer" transact "$address" "$open" 5 3 open
check "a transaction that is open" wait_until 30 "it is named" open_transaction_is_named
check "who waits for it leaves" stop_gently "$waiting"
start twin kcat -b "$address" -G twins -X client.id=twin -X auto.offset.reset=earliest "$orders"
one=$pid
start twin kcat -b "$address" -G twins -X client.id=twin -X auto.offset.reset=earliest "$orders"
other=$pid
check "members of one client.id on one host" wait_until 30 "there are two" namesakes_are_told_apart
check "one of them leaves" stop_gently "$one"
check "and the other" stop_gently "$other"
check "the member leaves" stop_gently "$member"
check "it asked for nothing but to read" only_reads
start fruitless kcat -b "$address" -G fruitless -X enable.auto.commit=false -X session.timeout.ms=6000 \
    -X heartbeat.interval.ms=1000 "$orders"
fruitless=$pid
check "a member that has committed nothing" wait_until 30 "it is there" has_no_commit_yet
kill -9 "$fruitless"
check "and is gone" wait_until 30 "it is named" names_the_fruitless
check "a group that is not there" refused 1 15 lag --group nobody "$url"
check "a topic that is not there" refused 1 15 lag --fail-on STOP,STALL --samples 1 "$url/nosuch"
check "nor for who stands still" refused 1 15 stuck --quiet --stall-after 1 "$url/nosuch"
check "a broker that is not there" refused 4 5 lag kafka://127.0.0.1:1
check "a state that is none" refused 2 5 lag --fail-on STAL "$url"
check "another transport" refused 2 5 lag zmq://127.0.0.1:5556
finish
