#!/bin/bash
# test_crash.sh - a recorder that is killed with SIGKILL again and again while events arrive: every event
# is on the tape, none twice. TAPEDECK_KILLS says how often.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker

topic=$(unique crash)
tape=$work/tape
kills=${TAPEDECK_KILLS:-12}
RANDOM=${TAPEDECK_SEED:-$$}
echo "  seed ${TAPEDECK_SEED:-$$}"

# 0 to 0.9 s: during the start, while it catches up, and when it has caught up.
kill_at_random() {
    local round
    for ((round = 1; round <= kills; round++)); do
        start recorder "$tapedeck" record --tape "$tape" --from beginning "kafka://$address/$topic"
        sleep "0.$((RANDOM % 10))"
        if ended "$pid"; then
            echo "round $round: the recorder ended by itself:"
            cat "$work/recorder.err"
            return 1
        fi
        kill -9 "$pid"
        wait "$pid" 2>/dev/null
        if grep -E 'Sanitizer|Assertion|runtime error' "$work/recorder.err"; then
            return 1
        fi
    done
}

tape_is_sound() {
    "$tapedeck" tape verify --tape "$tape"
}

need "$client" topic "$address" "$topic" 4
need "$producer" produce "$address" "$topic" 0 5000
start stream "$producer" stream "$address" "$topic" 2000 $((kills * 1500))
stream=$pid
check "killed $kills times at random moments" kill_at_random
check "the producer finished" ends_well "$stream" 60
check "a last recorder reads on to the end" record_to_end "$tape" "$topic"
check "the tape is the topic: nothing missing, nothing twice" same_as_topic "$tape" "$topic"
check "tape verify finds nothing wrong" tape_is_sound
finish
