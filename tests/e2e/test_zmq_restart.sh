#!/bin/bash
# test_zmq_restart.sh - a counter in the messages tells across restarts of the recorder how many were published
# meanwhile: after a clean stop, after kill -9, and when none were.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tape=$work/tape

publisher_says() { # publisher_says LINE COUNT: so often
    [ "$(grep -c -x "$1" "$work/publisher.out")" -ge "$2" ]
}

publisher_is_told() { # publisher_is_told LINE: on its standard input, which is our descriptor 9
    echo "$1" >&9
}

# A new publisher, which counts from 0.
start_publisher() {
    rm -f "$work/orders" "$work/publisher.out"
    mkfifo "$work/orders"
    "$build/client_zmq" - <"$work/orders" >"$work/publisher.out" 2>"$work/publisher.err" &
    started+=($!)
    exec 9>"$work/orders"
    subscriptions=0
    sent=0
    need wait_until 10 "the publisher says where it is" grep -q '^tcp://' "$work/publisher.out"
    sed -n 's/^tcp:.*:\([0-9]*\)$/\1/p' "$work/publisher.out" >"$work/port"
    cat >"$work/tapedeck.conf" <<END
[tap.feed]
type = zeromq
url = zmq://127.0.0.1:$(cat "$work/port")/ticks
sequence = frame:1
END
}

publish() { # publish COUNT
    sent=$((sent + $1))
    publisher_is_told "send $1"
    wait_until 20 "the publisher has sent them" publisher_says "sent $sent" 1
}

tape_has() { # tape_has COUNT
    [ "$("$tapedeck" search --tape "$tape" --count 'stream=ticks')" = "$1" ]
}

start_recorder() {
    start recorder "$tapedeck" record --tape "$tape" --config "$work/tapedeck.conf"
    recorder=$pid
    subscriptions=$((subscriptions + 1))
    publisher_is_told wait
    wait_until 20 "the recorder subscribes" publisher_says subscribed "$subscriptions"
}

record() { # record COUNT TOTAL: so many messages, until that many are on the tape
    start_recorder && publish "$1" && wait_until 20 "the tape has $2 events" tape_has "$2"
}

stop_hard() {
    kill -9 "$recorder"
    wait "$recorder" 2>/dev/null
    true
}

holes_are() { # holes_are "FROM TO REASON"...
    "$tapedeck" streams --tape "$tape" --json >"$work/streams.json" || return
    python3 - "$work/streams.json" "$@" <<'END'
import json, sys
wanted = sys.argv[2:]
rows = [json.loads(line) for line in open(sys.argv[1])]
seen = [f'{hole["from"]} {hole["to"]} {hole["reason"]}' for row in rows if row.get("stream") == "ticks"
        for part in row["coverage"] for hole in part["holes"]]
sys.exit(None if seen == wanted else f"wanted {wanted}, seen {seen}")
END
}

start_publisher
check "record" record 5 5
check "stop" stop_gently "$recorder"
check "record on without a loss" record 3 8
check "no hole is between the two" holes_are
check "kill -9" stop_hard
check "and on without a loss" record 1 9
check "no hole is there either" holes_are
check "stop" stop_gently "$recorder"
check "100 messages meanwhile" publish 100
check "record on" record 2 11
check "that is a hole of 100" holes_are "9 108 NOT_RECORDED"
check "kill -9" stop_hard
check "7 messages meanwhile" publish 7
check "record on" record 3 14
check "that is a hole of 7" holes_are "9 108 NOT_RECORDED" "111 117 NOT_RECORDED"
check "stop" stop_gently "$recorder"
exec 9>&-
start_publisher
check "record what another publisher counts" record 4 18
check "how much that missed nobody knows" \
    holes_are "9 108 NOT_RECORDED" "111 117 NOT_RECORDED" "121 None NOT_RECORDED"
check "stop" stop_gently "$recorder"
exec 9>&-

finish
