#!/bin/bash
# test_lag_failover.sh - three brokers are killed and brought back in turn while groups are sampled, by a
# command and by a recorder: both live, say what they cannot know, and are right again in the end.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
unset KAFKA_ADDRESS
need_broker --nodes 3
topic=outage
url=kafka://$address/$topic
groups=24 # more than there are coordinators: each node is one for some of them

# Long enough for requests to be under way to a node that is not there: until the sampler says what does
# not answer. A node that leads nothing and coordinates nobody just now may not be missed.
give_it_time() {
    local i
    for ((i = 0; i < 80; i++)); do
        last_note_is -v >/dev/null && return
        sleep 0.1
    done
}

was_noticed() {
    cat "$work/sampler.err"
    grep . "$work/sampler.err" | grep -qv "all brokers answer again"
}

in_turn() {
    local node
    for node in 1 2 3; do
        "$broker_script" kill "$cluster" "$node" && ! ended "$sampler" || return
        give_it_time
        "$broker_script" restart "$cluster" "$node" && ! ended "$sampler" || return
        [ ! -s "$work/sampler.err" ] ||
            wait_until 30 "the sampler is well again" last_note_is || return
    done
}

# Another client sees all leaders and all coordinators again.
state_is_whole() {
    timeout 30 "$client" state "$address" >"$work/state" || return
    python3 "$here/lag_lines.py" state <"$work/state" | grep "^g[0-9]* $topic " >"$work/wanted.lines"
    wc -l "$work/wanted.lines"
    [ "$(wc -l <"$work/wanted.lines")" = "$groups" ]
}

last_note_is() { # last_note_is [-v]: all brokers answer again (-v: they do not)
    cat "$work/sampler.err"
    tail -n 1 "$work/sampler.err" | grep . | grep -q "$@" "all brokers answer again"
}

right_again() {
    timeout 60 "$tapedeck" lag --json --samples 1 "$url" >"$work/lag.json" || return
    python3 "$here/lag_lines.py" lag <"$work/lag.json" >"$work/seen.lines"
    same_lines "$work/wanted.lines" "$work/seen.lines"
}

recorder_knows() {
    cat "$work/recorder.err"
    timeout 20 "$tapedeck" lag --json --tape "$work/tape" >"$work/lag.json" 2>"$work/lag.err" || return
    grep -q '^tapedeck: from the recorder' "$work/lag.err"
}

recorder_is_right_again() {
    ! ended "$recorder" && recorder_knows || return
    python3 "$here/lag_lines.py" lag <"$work/lag.json" >"$work/seen.lines"
    same_lines "$work/wanted.lines" "$work/seen.lines"
}

ends_right() {
    stop_gently "$sampler" || return
    cp "$work/sampler.out" "$work/lag.json"
    python3 "$here/lag_lines.py" lag <"$work/lag.json" >"$work/seen.lines"
    same_lines "$work/wanted.lines" "$work/seen.lines"
}

need "$client" topic "$address" "$topic" 6
need "$producer" produce "$address" "$topic" 0 600
for ((group = 0; group < groups; group++)); do
    need "$client" commit "$address" "g$group" "$topic" $((group % 6)) $((group + 1))
done
start sampler "$tapedeck" lag --json --samples 100000 --interval 0.2 "$url"
sampler=$pid
printf '[lag]\ninterval = 1s\n' >"$work/tapedeck.conf"
start recorder "$tapedeck" record --config "$work/tapedeck.conf" --tape "$work/tape" --from beginning "$url"
recorder=$pid
need wait_until 30 "the recorder has its groups" recorder_knows
check "each node is killed and comes back" in_turn
check "the sampler said what did not answer" was_noticed
check "the brokers are whole again" wait_until 60 "every commit is read" state_is_whole
check "the numbers are right" wait_until 30 "lag is another client's" right_again
# What changes is written: the commits that were read before may be what the recorder knows.
need "$client" commit "$address" g0 "$topic" 0 77
check "the commits are known" wait_until 60 "every commit is read" state_is_whole
check "the recorder is right" wait_until 60 "it knows what another client reads" recorder_is_right_again
check "it ends when asked to" stop_gently "$recorder"
check "the sampler still runs" bash -c "kill -0 $sampler"
check "it ends when asked to, with the right numbers" ends_right
finish
