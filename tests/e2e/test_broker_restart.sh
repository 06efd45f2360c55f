#!/bin/bash
# test_broker_restart.sh - the broker goes away and comes back while a recorder runs, once politely and once
# by SIGKILL: nothing is lost, nothing comes twice, and the recorder neither ends nor needs help.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
unset KAFKA_ADDRESS # a broker of our own even when there is a shared one
need_broker
topic=outage
tape=$work/tape

stop_and_restart() {
    "$broker_script" stop "$cluster" && ! ended "$recorder" && "$broker_script" restart "$cluster" 1
}

kill_and_restart() {
    "$broker_script" kill "$cluster" 1 && ! ended "$recorder" && "$broker_script" restart "$cluster" 1
}

caught_up() {
    same_as_topic "$tape" "$topic"
}

need "$client" topic "$address" "$topic" 3
need "$producer" produce "$address" "$topic" 0 2000
start recorder "$tapedeck" record --tape "$tape" --from beginning "kafka://$address/$topic"
recorder=$pid
check "the recorder catches up" wait_until 30 "the tape is the topic" caught_up

start stream "$producer" stream "$address" "$topic" 500 5000
stream=$pid
check "the broker is restarted" stop_and_restart
check "the broker is killed and restarted" kill_and_restart
check "the producer got every acknowledgement" ends_well "$stream" 120
check "the tape is the topic" wait_until 30 "the tape is the topic" caught_up
check "the recorder still runs" bash -c "kill -0 $recorder"
check "and ends well when asked to" stop_gently "$recorder"
check "the tape is still the topic" same_as_topic "$tape" "$topic"
finish
