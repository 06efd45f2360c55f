#!/bin/bash
# test_record.sh - every kind of event, recorded from a real broker, is on the tape byte for byte.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker

corpus=$(unique corpus)
appended=$(unique appended)
compacted=$(unique compacted)
tape=$work/tape

# Eleven thousand events with every compression, a transaction that is aborted and one that is
# committed (their markers take offsets, so there are gaps), and an event of 5 MB.
fill_corpus() {
    local codec first=0
    "$client" topic "$address" "$corpus" 6 max.message.bytes=8388608 || return
    for codec in none gzip snappy lz4 zstd; do
        "$producer" produce "$address" "$corpus" $first 2200 compression.codec=$codec || return
        first=$((first + 2200))
    done
    "$producer" transact "$address" "$corpus" 11000 300 abort || return
    "$producer" transact "$address" "$corpus" 11300 300 commit || return
    "$producer" big "$address" "$corpus" 5000000 || return
    "$producer" produce "$address" "$corpus" 11600 200
}

fill_others() {
    "$client" topic "$address" "$appended" 2 message.timestamp.type=LogAppendTime || return
    "$producer" produce "$address" "$appended" 0 500 || return
    "$client" topic "$address" "$compacted" 1 cleanup.policy=compact segment.ms=100 \
        message.timestamp.type=LogAppendTime min.cleanable.dirty.ratio=0.01 || return
    "$producer" load "$address" "$compacted" 400 20 || return
    sleep 0.2 # the next event begins a new segment, so that the cleaner may have the old one
    "$producer" load "$address" "$compacted" 1 20 || return
    wait_until 60 "the topic is compacted" is_compacted
}

is_compacted() { # of 401 events the last one of each key is left, and the one that was not looked at
    topic_lines "$compacted" >"$work/compacted.lines" && wc -l <"$work/compacted.lines" &&
        [ "$(wc -l <"$work/compacted.lines")" -le 21 ]
}

lane_counts() { # the number of events per partition, from the lines of a topic
    cut -d ' ' -f 1 "$1" | sort -n | uniq -c | awk '{ print $2, $1 }'
}

coverage_counts() { # the same, as `tapedeck streams` says
    "$tapedeck" streams --tape "$tape" --json | python3 -c '
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    if row.get("stream") == sys.argv[1]:
        for lane in row["coverage"]:
            print(lane["partition"], lane["events"])' "$1" | sort -n
}

same_counts() {
    lane_counts "$work/topic.lines" >"$work/topic.counts" && [ -s "$work/topic.counts" ] || return
    coverage_counts "$1" >"$work/tape.counts" || return
    same_lines "$work/topic.counts" "$work/tape.counts"
}

hides_escapes() { # plain lines hold no control character but the newline, however hostile the payload
    "$tapedeck" events --tape "$tape" >"$work/plain.out" || return
    [ "$(wc -l <"$work/plain.out")" -gt 11000 ] || { wc -l "$work/plain.out"; return 1; }
    ! LC_ALL=C grep -m 3 -n -a -P '[\x00-\x09\x0b-\x1f\x7f]' "$work/plain.out"
}

answer_is_complete() {
    tail -n 1 "$work/events.json" | python3 -c '
import json, sys
done = json.loads(sys.stdin.read())
sys.exit(0 if done.get("done") is True and done["complete"] is True else f"{done}")'
}

# With open and aborted transactions: the 300 events of the aborted one more, and nothing else.
holds_aborted_too() {
    record_to_end "$work/tape-all" "$corpus" --isolation read_uncommitted || return
    tape_lines "$work/tape-all" "$corpus" >"$work/all.lines" || return
    comm -13 <(sort "$work/topic.lines") <(sort "$work/all.lines") >"$work/more.lines"
    comm -23 <(sort "$work/topic.lines") <(sort "$work/all.lines") >"$work/less.lines"
    wc -l "$work/more.lines" "$work/less.lines"
    [ "$(wc -l <"$work/more.lines")" = 300 ] && [ ! -s "$work/less.lines" ]
}

begins_where_asked() { # the offsets of one partition from 100 on, and no other event
    timeout 60 "$tapedeck" record --tape "$work/tape-from" --from "$corpus[3]@100" --until end \
        "kafka://$address/$corpus" || return
    tape_lines "$work/tape-from" "$corpus" | cut -d ' ' -f 1,2 >"$work/from.lines"
    cut -d ' ' -f 1,2 "$work/topic.lines" | awk '$1 == 3 && $2 >= 100' >"$work/from.wanted"
    [ -s "$work/from.wanted" ] && same_lines "$work/from.wanted" "$work/from.lines"
}

need fill_corpus
need fill_others

check "record to the end of three topics" record_to_end "$tape" "$corpus,$appended,$compacted"
check "broker-stamped times and types are the same" same_as_topic "$tape" "$appended"
check "a compacted topic is the same" same_as_topic "$tape" "$compacted"
check "the corpus is on the tape byte for byte" same_as_topic "$tape" "$corpus"
check "the answer says that it is complete" answer_is_complete
check "streams counts the same events in each partition" same_counts "$corpus"
check "plain lines let no control character through" hides_escapes
check "read_uncommitted has the aborted events too" holds_aborted_too
check "named offsets are where a partition begins" begins_where_asked
check "recording again adds nothing" record_to_end "$tape" "$corpus"
check "and the corpus is still the same" same_as_topic "$tape" "$corpus"

says_why_nothing_came() { # says_why_nothing_came TEXT [OPTION]...: nothing is recorded, and that is said
    local text=$1
    shift
    timeout 60 "$tapedeck" record --tape "$work/late" --until end "$@" "kafka://$address/$corpus" \
        2>"$work/late.err" || return
    grep 'level=warn nothing=' "$work/late.err" | grep -q "$text" || { cat "$work/late.err"; return 1; }
}
check "a new tape that begins at the end says so" says_why_nothing_came "begins at the end"
check "and that its hole is not filled later" says_why_nothing_came "is not read again" --from beginning
need "$producer" produce "$address" "$corpus" 11800 1000
check "recording goes on where the tape ends" record_to_end "$tape" "$corpus"
check "and now holds what came meanwhile" same_as_topic "$tape" "$corpus"
# A marker is the end of the log, and nothing comes behind it while we record.
marker_is_known() {
    timeout 60 "$tapedeck" tape holes --tape "$work/live" --json >"$work/holes.json" || return
    cat "$work/holes.json"
    grep -q '"from":"5","to":"5","offsets":"1","reason":"COMPACTED_OR_ABORTED"' "$work/holes.json"
}
marked=$(unique marked)
need "$client" topic "$address" "$marked" 1
start live "$tapedeck" record --tape "$work/live" --from beginning "kafka://$address/$marked"
need "$producer" transact "$address" "$marked" 0 5 commit
check "the end of a transaction is known before more comes" wait_until 30 "the hole is there" marker_is_known
check "the recorder ends when asked to" stop_gently "$pid"

check "tape verify finds nothing wrong" "$tapedeck" tape verify --tape "$tape"
finish
