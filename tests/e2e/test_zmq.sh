#!/bin/bash
# test_zmq.sh - what a ZeroMQ publisher sends once the subscription is up is on the tape, in order, every
# frame exact; and so is what a replay of it sends to another recorder, and to a file.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

count=20000
tape=$work/tape

endpoint_is_known() {
    grep -q '^tcp://' "$work/publisher.out"
}

record() {
    timeout 60 "$tapedeck" record --tape "$tape" --until "$count" "zmq://127.0.0.1:$port/ticks"
}

every_frame_is_exact() { # every_frame_is_exact TAPE
    timeout 60 "$tapedeck" events --tape "$1" --json >"$work/events.json" || return
    python3 "$here/check_ticks.py" "$count" <"$work/events.json"
}

# The publisher stays for as long as its standard input, which is our descriptor 9, is open.
mkfifo "$work/hold"
"$build/client_zmq" "$count" <"$work/hold" >"$work/publisher.out" 2>"$work/publisher.err" &
publisher=$!
started+=("$publisher")
exec 9>"$work/hold"
need wait_until 10 "the publisher says where it is" endpoint_is_known
port=$(sed -n 's/^tcp:.*:\([0-9]*\)$/\1/p' "$work/publisher.out")

check "record $count messages and end" record
check "all numbers are there, in order, every frame exact" every_frame_is_exact "$tape"
exec 9>&-
check "the publisher ends well" ends_well "$publisher" 20
check "and sent them all" grep -qx "sent $count" "$work/publisher.out"

plan() { # plan TARGET: $plan is its id
    plan=$("$tapedeck" replay plan --tape "$tape" --to "$1" --json | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
    [ -n "$plan" ]
}

replay() { # replay TARGET CONFIRM
    plan "$1" && timeout 60 "$tapedeck" replay run --tape "$tape" "$plan" --confirm "$2"
}

# The recorder pulls from a socket that the replay makes when it runs: it comes first, and waits.
replay_to_a_recorder() {
    timeout 60 "$tapedeck" record --tape "$work/again" --until "$count" \
        "zmq+pull+ipc://$work/again.sock#ticks" 2>"$work/again.err" &
    local recorder=$!
    started+=("$recorder")
    wait_until 20 "the recorder says that nobody is there" \
        grep -q "no publisher answers" "$work/again.err" || return
    replay "zmq+push+bind+ipc://$work/again.sock" "$work/again.sock" && wait "$recorder"
}

verify() {
    timeout 60 "$tapedeck" replay verify --tape "$tape" "$plan"
}

check "replay it to a recorder that waits at a PULL socket" replay_to_a_recorder
check "every frame of it is exact again" every_frame_is_exact "$work/again"
check "a ZeroMQ target is not said to be verified" refused 5 5 replay verify --tape "$tape" "$plan"
check "replay it to a file" replay "file://$work/copy.ndjson" "$work/copy.ndjson"
check "and verify the file" verify
# Nobody publishes there; it holds the tape all the same.
follower_is_behind_the_recorder() {
    local recorder_nice follower_nice
    recorder_nice=$(cut -d' ' -f19 "/proc/$recorder/stat")
    follower_nice=$(cut -d' ' -f19 "/proc/$follower/stat")
    [ "$follower_nice" -ge 10 ] && [ "$follower_nice" -ge "$recorder_nice" ]
}

start recorder "$tapedeck" record --tape "$tape" "zmq://127.0.0.1:$port/ticks"
recorder=$pid
need wait_until 10 "somebody records" grep -q 'state=retrying' "$work/recorder.err"
start follower "$tapedeck" events --tape "$tape" --follow
follower=$pid
need wait_until 10 "the follower prints" test -s "$work/follower.out"
check "who follows lets the recorder go first" follower_is_behind_the_recorder
check "the follower ends well" stop_gently "$follower"
check "the recorder ends well" stop_gently "$recorder"

finish
