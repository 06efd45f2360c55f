#!/bin/bash
# test_recreated_group.sh - a topic that is deleted and made again is a stream of its own for a member of a group too:
# while the recorder is stopped and while it runs, with more, as many and fewer events than before.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker
topic=$(unique anew)
busy=$(unique calm)
group=$(unique recorders)
tape=$work/tape

printf '[tap.shop]\nbrokers = %s\ntopics = %s, %s\nmode = group\ngroup = %s\nfrom = beginning\n' \
    "$address" "$topic" "$busy" "$group" >"$work/tap.conf"
printf 'kafka.session.timeout.ms = 6000\nkafka.heartbeat.interval.ms = 500\n' >>"$work/tap.conf"

make_topic() { # make_topic FIRST COUNT
    wait_until 20 "the topic can be made" "$client" topic "$address" "$topic" 2 &&
        wait_until 20 "it is known" "$producer" produce "$address" "$topic" "$1" "$2"
}

make_anew() { # make_anew FIRST COUNT
    "$client" delete "$address" "$topic" && make_topic "$1" "$2"
}

keep_lines() { # keep_lines NAME: what the topic is now
    topic_lines "$topic" >"$work/$1" && [ -s "$work/$1" ]
}

record() { # in the background; $pid
    start recorder "$tapedeck" --config "$work/tap.conf" record --no-lag --tape "$tape"
}

stream_is() { # stream_is STREAM LINES: the stream on the tape is exactly what the topic once was
    tape_lines "$tape" "$1" >"$work/tape.lines" && same_lines "$work/$2" "$work/tape.lines"
}

stream_becomes() { # stream_becomes STREAM LINES: soon, while it is recorded
    wait_until 45 "$1 is on the tape" stream_is "$@"
}

ends_in_a_hole() { # ends_in_a_hole STREAM: of unknown size
    "$tapedeck" streams --tape "$tape" --json | grep "\"stream\":\"$1\"" | grep -q '"to":null,"reason":"TOPIC_RECREATED"'
}

committed_is_of_the_new_log() { # no offset of the group is behind the end of the log
    "$client" state "$address" >"$work/state"
    grep "^committed $group $topic " "$work/state" | sort >"$work/committed"
    [ -s "$work/committed" ] || return
    while read -r _ _ _ partition offset; do
        end=$(sed -n "s/^offsets $topic $partition [0-9]* //p" "$work/state")
        echo "partition $partition: $offset is committed, the log ends at $end"
        [ "$offset" -le "$end" ] || return
    done <"$work/committed"
}

# --- while it is stopped --------------------------------------------------------------------------

need make_topic 0 1000
need "$client" topic "$address" "$busy" 1
need keep_lines first
record
check "recorded" stream_becomes "$topic" first
check "the recorder stops well" stop_gently "$pid"
need make_anew 5000 3000
need keep_lines second
record
check "made anew with more events while it was stopped: a stream of its own" stream_becomes "$topic#2" second
check "the old stream is what it was" stream_is "$topic" first
check "and ends in a hole of unknown size" ends_in_a_hole "$topic"
check "the recorder stops well" stop_gently "$pid"
need make_anew 9000 3000
need keep_lines third
record
check "made anew with as many events: another stream" stream_becomes "$topic#3" third
check "the stream before is what it was" stream_is "$topic#2" second
check "the recorder stops well" stop_gently "$pid"
need "$producer" produce "$address" "$topic" 12000 100
need keep_lines third
record
check "not made anew: the same stream goes on" stream_becomes "$topic#3" third
check "the recorder stops well" stop_gently "$pid"
need make_anew 15000 40
need keep_lines fourth
record
check "made anew with fewer events: another stream" stream_becomes "$topic#4" fourth
check "the stream before is what it was" stream_is "$topic#3" third

# --- while it runs --------------------------------------------------------------------------------

need make_anew 20000 4000
need keep_lines fifth
check "made anew while it runs, with more events" stream_becomes "$topic#5" fifth
check "the stream before is what it was" stream_is "$topic#4" fourth
need make_anew 30000 50
need keep_lines sixth
check "made anew while it runs, with fewer events" stream_becomes "$topic#6" sixth
check "the stream before is what it was" stream_is "$topic#5" fifth
check "what is committed is of the new log" wait_until 20 "commits" committed_is_of_the_new_log
need "$client" delete "$address" "$topic"
need "$producer" produce "$address" "$busy" 0 500
topic_lines "$busy" >"$work/busy"
check "while the topic is away, the others go on" stream_becomes "$busy" busy
check "the recorder stops well" stop_gently "$pid"
check "tape verify finds nothing wrong" "$tapedeck" tape verify --tape "$tape"
finish
