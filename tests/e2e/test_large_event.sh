#!/bin/bash
# test_large_event.sh - events of 20 MB are recorded byte for byte, alone and as member of a group, in bounded memory.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker
topic=$(unique large)
bytes=20000000
limit_kib=$((200 * 1024))
export ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=16 # what is freed counts as memory otherwise

tap() { # tap MODE: its configuration
    printf '[tap.shop]\nbrokers = %s\ntopics = %s\nfrom = beginning\n' "$address" "$topic"
    [ "$1" = watch ] || printf 'mode = group\ngroup = %s\n' "$(unique large)"
}

has_events() { # has_events MODE COUNT
    "$tapedeck" --config "$work/$1.conf" tap list --json --tape "$work/$1" | tee "$work/list"
    grep -q "\"events\":\"$2\"" "$work/list"
}

stays_small() { # stays_small PID: the most memory that it ever had
    local most
    most=$(awk '/^VmHWM/ { print $2 }' "/proc/$1/status")
    echo "at most $((most / 1024)) MiB"
    [ "$most" -le "$limit_kib" ]
}

need "$client" topic "$address" "$topic" 1 max.message.bytes=25000000
for _ in 1 2; do
    need "$producer" big "$address" "$topic" "$bytes" message.max.bytes=25000000
done
need "$producer" produce "$address" "$topic" 0 100
for mode in watch group; do
    tap "$mode" >"$work/$mode.conf"
    start "$mode" "$tapedeck" --config "$work/$mode.conf" record --no-lag --tape "$work/$mode"
    check "$mode: all of them are recorded" wait_until 60 "102 events are there" has_events "$mode" 102
    check "$mode: with bounded memory" stays_small "$pid"
    check "$mode: the recorder stops well" stop_gently "$pid"
    check "$mode: byte for byte" same_as_topic "$work/$mode" "$topic"
done
finish
