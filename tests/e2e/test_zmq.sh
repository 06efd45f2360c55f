#!/bin/bash
# test_zmq.sh - what a ZeroMQ publisher sends once the subscription is up is on the tape, in order, every
# frame exact.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

count=20000
tape=$work/tape

endpoint_is_known() {
    grep -q '^tcp://' "$work/publisher.out"
}

record() {
    timeout 60 "$tapedeck" record --tape "$tape" --until "$count" "zmq://127.0.0.1:$port/ticks"
}

every_frame_is_exact() {
    timeout 60 "$tapedeck" events --tape "$tape" --json >"$work/events.json" || return
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
check "all numbers are there, in order, every frame exact" every_frame_is_exact
exec 9>&-
check "the publisher ends well" ends_well "$publisher" 20
check "and sent them all" grep -qx "sent $count" "$work/publisher.out"
finish
