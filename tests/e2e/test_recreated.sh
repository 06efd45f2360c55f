#!/bin/bash
# test_recreated.sh - a topic that is deleted and made again, with fewer, as many and more events than before,
# between two recordings and during one: its events are a stream of their own, and no lane is mixed.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker
topic=$(unique again)
busy=$(unique busy)
tape=$work/tape

# What producers send differs by the number of the first event.
make_topic() { # make_topic FIRST COUNT
    wait_until 20 "the topic can be made" "$client" topic "$address" "$topic" 2 &&
        wait_until 20 "it is known" "$producer" produce "$address" "$topic" "$1" "$2"
}

delete_topic() {
    "$client" delete "$address" "$topic"
}

make_anew() { # make_anew FIRST COUNT
    delete_topic && make_topic "$1" "$2"
}

stream_is() { # stream_is STREAM LINES: the stream on the tape is exactly what the topic once was
    tape_lines "$tape" "$1" >"$work/tape.lines" && same_lines "$work/$2" "$work/tape.lines"
}

stream_becomes() { # stream_becomes STREAM LINES: soon, while it is recorded
    wait_until 30 "$1 is on the tape" stream_is "$@"
}

keep_lines() { # keep_lines NAME: what the topic is now
    topic_lines "$topic" >"$work/$1" && [ -s "$work/$1" ]
}

has_hole() { # has_hole STREAM: of unknown size at its end
    "$tapedeck" streams --tape "$tape" --json | grep "\"stream\":\"$1\"" | grep -q '"to":null,"reason":"TOPIC_RECREATED"'
}

# --- between two recordings -----------------------------------------------------------------------

need make_topic 0 1000
need keep_lines first
check "recorded" record_to_end "$tape" "$topic"
need make_anew 5000 3000
need keep_lines second
check "made anew with more events: recorded" record_to_end "$tape" "$topic"
check "the old stream is what it was" stream_is "$topic" first
check "and ends in a hole of unknown size" has_hole "$topic"
check "the new one is a stream of its own" stream_is "$topic#2" second
need make_anew 9000 3000
need keep_lines third
check "made anew with as many events: recorded" record_to_end "$tape" "$topic"
check "as another stream" stream_is "$topic#3" third
check "the stream before is what it was" stream_is "$topic#2" second
check "recording again adds nothing" record_to_end "$tape" "$topic"
check "the log is known by its events" stream_is "$topic#3" third
need "$producer" transact "$address" "$topic" 12000 100 abort
need "$producer" transact "$address" "$topic" 12000 100 commit
check "transactions, whose markers are the end of the log: recorded" record_to_end "$tape" "$topic"
need keep_lines third
need "$producer" produce "$address" "$topic" 12100 100
need keep_lines third
check "and go on" record_to_end "$tape" "$topic"
check "as the same stream" stream_is "$topic#3" third

# --- during one -----------------------------------------------------------------------------------

need "$client" topic "$address" "$busy" 1
start recorder "$tapedeck" record --tape "$tape" --no-lag "kafka://$address/$topic,$busy"
recorder=$pid
need "$producer" produce "$address" "$topic" 20000 10
need keep_lines third
check "while it is recorded" stream_becomes "$topic#3" third
need make_anew 30000 8000
need keep_lines fourth
check "made anew with more events" stream_becomes "$topic#4" fourth
check "the stream before is what it was" stream_is "$topic#3" third
need make_anew 40000 50
need keep_lines fifth
check "made anew with fewer events" stream_becomes "$topic#5" fifth
check "the stream before is what it was" stream_is "$topic#4" fourth
need delete_topic
need "$producer" produce "$address" "$busy" 0 500
topic_lines "$busy" >"$work/busy"
check "while the topic is away, the others go on" stream_becomes "$busy" busy
check "the recorder stops well" stop_gently "$recorder"
check "tape verify finds nothing wrong" "$tapedeck" tape verify --tape "$tape"
finish
