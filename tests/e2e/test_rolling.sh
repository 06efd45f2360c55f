#!/bin/bash
# test_rolling.sh - three brokers are restarted in turn, one of them by SIGKILL, while an idempotent producer
# writes and a recorder reads: nothing is lost, nothing comes twice.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
unset KAFKA_ADDRESS
need_broker --nodes 3
topic=rolling
tape=$work/tape

# A restart as an operator does it: the node ends by itself, and its partitions have moved before.
restart_politely() { # restart_politely NODE
    local node_pid
    node_pid=$(cat "$cluster/$1.pid") && kill "$node_pid" &&
        wait_until 30 "node $1 ends" ended "$node_pid" && "$broker_script" restart "$cluster" "$1"
}

kill_and_restart() { # kill_and_restart NODE
    "$broker_script" kill "$cluster" "$1" && ! ended "$recorder" && "$broker_script" restart "$cluster" "$1"
}

more_is_recorded() { # more_is_recorded THAN: the recorder goes on after what it had
    "$tapedeck" tape info --tape "$tape" --json >"$work/info.json" || return
    cat "$work/info.json"
    [ "$(sed -n 's/.*"end_seq":"\([0-9]*\)".*/\1/p' "$work/info.json")" -gt "$1" ]
}

recorded() {
    "$tapedeck" tape info --tape "$tape" --json | sed -n 's/.*"end_seq":"\([0-9]*\)".*/\1/p'
}

caught_up() {
    same_as_topic "$tape" "$topic"
}

need "$client" topic "$address" "$topic" 6
need "$producer" produce "$address" "$topic" 0 600
start recorder "$tapedeck" record --tape "$tape" --from beginning "kafka://$address/$topic"
recorder=$pid
need wait_until 30 "the recorder catches up" caught_up
start stream "$producer" stream "$address" "$topic" 400 100000
stream=$pid
for node in 1 2 3; do
    before=$(recorded)
    check "node $node is restarted" restart_politely "$node"
    check "and recording goes on" wait_until 30 "more is recorded" more_is_recorded "$before"
done
before=$(recorded)
check "node 2 is killed and comes back" kill_and_restart 2
check "and recording goes on" wait_until 30 "more is recorded" more_is_recorded "$before"
check "the producer got every acknowledgement" stop_gently "$stream"
check "the tape is the topic" wait_until 30 "the tape is the topic" caught_up
check "the recorder ends well when asked to" stop_gently "$recorder"
check "the tape is still the topic" same_as_topic "$tape" "$topic"
finish
