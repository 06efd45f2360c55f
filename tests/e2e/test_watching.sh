#!/bin/bash
# test_watching.sh - watching changes nothing: the broker looks the same before and after a recording,
# and has been asked nothing but to read. A broker of its own, so that nobody else asks meanwhile, and
# one that creates topics when asked for them by accident.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker --log-requests --set auto.create.topics.enable=true

state() {
    "$client" state "$address" | sort
}

unchanged() { # unchanged FILE: the state is what FILE says
    state >"$work/state.now" || return
    same_lines "$1" "$work/state.now"
}

# What tapedeck asked since line $1 of the broker's log: request names, without our own client's and the
# broker's own.
requests_since() {
    tail -n +"$(($1 + 1))" "$cluster/1.log" | grep 'kafka.request.logger' | grep '"listener":"PLAINTEXT"' |
        grep -v '"clientId":"e2e-client"' | grep -v '"clientInformation":{"softwareName":"apache-kafka-java"' |
        sed -n 's/.*"requestApiKeyName":"\([A-Z_0-9]*\)".*/\1/p' | sort | uniq -c
}

only_reads() {
    requests_since "$1" >"$work/requests" || return
    cat "$work/requests"
    grep -q ' FETCH$' "$work/requests" || { echo "no FETCH: the log of requests is not what it should be"; return 1; }
    ! grep -vE ' (API_VERSIONS|METADATA|LIST_OFFSETS|FETCH|LIST_GROUPS|DESCRIBE_CLUSTER|DESCRIBE_CONFIGS)$' \
        "$work/requests"
}

log_lines() {
    wc -l <"$cluster/1.log"
}

no_such_topic() {
    refused 4 20 record --tape "$work/tape-none" --until end "kafka://$address/never-made"
}

need "$client" topic "$address" orders 3
need "$producer" produce "$address" orders 0 3000
state >"$work/state.fresh"
check "a fresh broker has no group and no __consumer_offsets" \
    bash -c "! grep -E '__consumer_offsets|^group' '$work/state.fresh'"
before=$(log_lines)
check "record" record_to_end "$work/tape-1" orders
check "nothing on the broker has changed, not even an internal topic" unchanged "$work/state.fresh"
check "and it was asked only to read" only_reads "$before"

need "$client" commit "$address" shop orders 0 100
need "$client" commit "$address" shop orders 2 700
need "$client" commit "$address" audit orders 1 5
state >"$work/state.groups"
check "two groups with three committed offsets are there" \
    test "$(grep -c -E '^(group|committed) ' "$work/state.groups")" = 5
check "record again" record_to_end "$work/tape-2" orders
check "topics, groups and committed offsets are the same" unchanged "$work/state.groups"
check "the tape holds the topic" same_as_topic "$work/tape-2" orders
check "a topic that is not there is refused" no_such_topic
check "and was not created by asking for it" unchanged "$work/state.groups"
finish
