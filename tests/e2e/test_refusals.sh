#!/bin/bash
# test_refusals.sh - what cannot be done is refused with one line that says why and the exit code that
# is documented, at once, and never by a crash.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker

topic=$(unique refusals)
tape=$work/tape
url=kafka://$address/$topic

is_held() { # somebody has the tape's lock
    ! flock -n "$tape/LOCK" true
}

need "$client" topic "$address" "$topic" 1
need "$producer" produce "$address" "$topic" 0 100
need record_to_end "$tape" "$topic"
touch "$work/file"

# Nobody listens on port 1.
check "a broker that is not there" refused 4 8 record --tape "$work/t1" "kafka://127.0.0.1:1/$topic"
check "a host that is not there" refused 4 8 record --tape "$work/t2" "kafka://nowhere.invalid/$topic"
check "a topic that is not there" refused 4 10 record --tape "$work/t3" "kafka://$address/no-such-topic"
check "a URL without a topic" refused 2 5 record --tape "$work/t4" "kafka://$address"
check "a URL of another kind" refused 2 5 record --tape "$work/t4" "carrier-pigeon://$address/x"
check "no URL at all" refused 2 5 record --tape "$work/t4" ""
check "a time that is none" refused 2 5 record --tape "$work/t4" --from yesterdayish "$url"
check "a number that is none" refused 2 5 events --tape "$tape" --limit many
check "an option that does not exist" refused 2 5 record --no-such-option "$url"
check "a command that does not exist" refused 2 5 recrod "$url"
check "a query that makes no sense" refused 2 5 events --tape "$tape" "stream = = orders"
check "a query with an unknown field" refused 2 5 events --tape "$tape" "colour=red"
check "a query with a broken regex" refused 2 5 events --tape "$tape" 'payload~/((/'
check "a query of escape sequences" refused 2 5 events --tape "$tape" $'\x1b[2J\x1b]0;x\x07((='
check "a query of binary garbage" refused 2 5 events --tape "$tape" $'\x01\xff\xfe((('
check "a configuration that is not there" refused 3 5 record --config "$work/none.conf" --tape "$tape"
printf '[tape\ncolour = red\n' >"$work/bad.conf"
check "a configuration that is wrong" refused 3 5 streams --config "$work/bad.conf"
check "events of a tape that is not there" refused 2 5 events --tape "$work/never"
check "a tape that is a file" refused 2 5 events --tape "$work/file"
check "recording onto a file" refused 2 10 record --tape "$work/file" --until end "$url"

# The file system under /proc takes no directories, whoever asks.
check "recording where nothing can be written" refused 1 10 record --tape /proc/tape --until end "$url"

start first "$tapedeck" record --tape "$tape" "$url"
first=$pid
need wait_until 15 "the first recorder holds the tape" is_held
check "a second recorder on the same tape" refused 5 10 record --tape "$tape" --until end "$url"
check "reading meanwhile is allowed" "$tapedeck" events --tape "$tape" --limit 5
check "the first one ends well" stop_gently "$first"

check "no query is longer than it may be" \
    refused 2 5 events --tape "$tape" "$(printf '(%.0s' {1..20000})"
check "a partition that cannot be" refused 2 5 events --tape "$tape" "$topic[99999999999999999999]@0..1"
check "search without a query" refused 2 5 search --tape "$tape"

printf 'garbage' >"$work/plan.json"
check "a plan that is none" refused 1 5 replay run "$work/plan.json" --confirm "$topic"
check "a plan that is not there" refused 2 5 replay run "$work/none.json" --confirm "$topic"
finish
