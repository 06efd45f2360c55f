#!/bin/bash
# test_gone.sh - a topic that an expression found is deleted while it is recorded: the others go on, the tap is well and
# says which one is gone; when it is made again it is a stream of its own; and a run to the end ends without it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker
base=$(unique gone)
stays=$base-stays
goes=$base-goes
tape=$work/tape

config() { # config NAME TOPICS [LINE]...
    printf '[tap.shop]\nbrokers = %s\ntopics = %s\nfrom = beginning\n' "$address" "$2" >"$work/$1.conf"
    printf '%s\n' "${@:3}" >>"$work/$1.conf"
}

is_live() { # is_live NAME WORDS: the tap of NAME.conf, and the words beside it
    "$tapedeck" tap list --config "$work/$1.conf" --tape "$tape" --json >"$work/list.json" || return
    cat "$work/list.json"
    grep '"state":"live"' "$work/list.json" | grep -q -- "$2"
}

notes() {
    "$tapedeck" events --tape "$tape" --json 'stream=@taps'
}

was_never_in_trouble() {
    notes | tee "$work/notes"
    grep -q "'$goes' is gone" "$work/notes" && ! grep -q retrying "$work/notes"
}

notes_have() { # notes_have WORDS
    notes | grep -- "$1"
}

stream_is() { # stream_is STREAM LINES: the stream on the tape is exactly what the topic was
    tape_lines "$tape" "$1" >"$work/tape.lines" && same_lines "$work/$2" "$work/tape.lines"
}

has_hole() { # of unknown size, at the end of the old stream
    "$tapedeck" streams --tape "$tape" --json | grep "\"stream\":\"$goes\"" |
        grep -q '"to":null,"reason":"TOPIC_RECREATED"'
}

make() { # make TOPIC FIRST COUNT
    wait_until 20 "the topic can be made" "$client" topic "$address" "$1" 3 &&
        wait_until 20 "it is known" "$producer" produce "$address" "$1" "$2" "$3"
}

# --- while it is recorded -------------------------------------------------------------------------

need make "$stays" 0 500
need make "$goes" 5000 500
need topic_lines "$goes"
cp "$work/need.out" "$work/first"
config all "^$base-.*"
start recorder "$tapedeck" record --no-lag --config "$work/all.conf" --tape "$tape"
recorder=$pid
check "both are recorded" wait_until 30 "the topic is on the tape" stream_is "$goes" first
need "$client" delete "$address" "$goes"
check "the tap is well, and says what is gone" wait_until 30 "it says so" is_live all "'$goes' is gone"
check "it was well all the time" was_never_in_trouble
need "$producer" produce "$address" "$stays" 500 500
need topic_lines "$stays"
cp "$work/need.out" "$work/stays"
check "the other one goes on" wait_until 20 "its events are there" stream_is "$stays" stays
need make "$goes" 9000 800
need topic_lines "$goes"
cp "$work/need.out" "$work/second"
check "made again it is noticed" wait_until 30 "it says so" notes_have "'$goes' is there again"
check "and is a stream of its own" wait_until 30 "it is on the tape" stream_is "$goes#2" second
check "the old one is what it was" stream_is "$goes" first
check "and ends in a hole of unknown size" has_hole
check "the recorder stops well" stop_gently "$recorder"
check "tape verify finds nothing wrong" "$tapedeck" tape verify --tape "$tape"

# --- a run to the end -----------------------------------------------------------------------------

tape=$work/to-end
need make "$base-large" 0 4000
config slow "^$base-large, $stays" "max_bytes_per_second = 32K"
start slow "$tapedeck" record --no-lag --config "$work/slow.conf" --tape "$tape" --until end
slow=$pid
check "half a minute's work has begun" wait_until 20 "the tap is live" is_live slow shop
need "$client" delete "$address" "$base-large"
check "the run ends when what it has not read is gone" ends_well "$slow" 60
check "with all of the other topic" stream_is "$stays" stays
check "and says why it has not more" notes_have "'$base-large' is gone"
finish
