#!/bin/bash
# test_budget.sh - what a tap reads from the cluster is counted, and never more than its budget allows, alone and as
# member of a group.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker
topic=$(unique budget)
events=45000
budget=$((3 * 1024 * 1024))

# What may come before the budget is spent: the library reads two seconds of it ahead, a fetch is one more, and one
# second can be saved up.
ahead=$((4 * budget))

config() { # config MODE
    printf '[tap.shop]\nbrokers = %s\ntopics = %s\nfrom = beginning\nmax_bytes_per_second = 3M\n' "$address" "$topic"
    [ "$1" = watch ] || printf 'mode = group\ngroup = %s\n' "$(unique budget)"
}

monotonic_ms() {
    awk '{ printf "%d", $1 * 1000 }' /proc/uptime
}

figure() { # figure MODE NAME: of tap list, or nothing while it is not known
    "$tapedeck" --config "$work/$1.conf" tap list --json --tape "$work/$1" | sed -n "s/.*\"$2\":\"\([0-9]*\)\".*/\1/p"
}

# Look again and again until everything is recorded. A slow machine has more time, and so may have read more.
keeps_to_its_budget() { # keeps_to_its_budget MODE BEGAN-MS
    local wire allowed looks=0
    for ((i = 0; i < 1000; i++)); do
        wire=$(figure "$1" wire_bytes)
        allowed=$(($(monotonic_ms) - $2))
        allowed=$((allowed * budget / 1000 + ahead))
        [ -z "$wire" ] || looks=$((looks + 1))
        [ "${wire:-0}" -le "$allowed" ] || { echo "$wire bytes came, $allowed were allowed"; return 1; }
        [ "$(figure "$1" events)" != "$events" ] || break
        sleep 0.1
    done
    echo "looked $looks times, last: $wire bytes came, $allowed were allowed"
    [ "$looks" -ge 2 ]
}

# All of it came over the wire, and little else: framing, and batches that a fetch cut.
counts_all_that_came() { # counts_all_that_came MODE
    local wire bytes
    wire=$(figure "$1" wire_bytes)
    bytes=$(figure "$1" bytes)
    echo "$wire bytes over the wire for $bytes bytes of events"
    [ "$wire" -ge "$bytes" ] && [ "$wire" -le $((2 * bytes)) ]
}

is_shown() { # is_shown MODE
    "$tapedeck" --config "$work/$1.conf" tap list --tape "$work/$1" | tee "$work/list"
    grep -qE '^TAP .* RECEIVED  +RATE  URL$' "$work/list" &&
        grep -qE '^shop  live  .* [0-9.]+ MB  .*/s  kafka://.* at most 3.1 MB/s' "$work/list"
}

need "$client" topic "$address" "$topic" 3
need "$producer" load "$address" "$topic" "$events" 500
for mode in watch group; do
    config "$mode" >"$work/$mode.conf"
    began=$(monotonic_ms)
    start "$mode" "$tapedeck" --config "$work/$mode.conf" record --no-lag --tape "$work/$mode"
    check "$mode: never more than the budget" keeps_to_its_budget "$mode" "$began"
    check "$mode: what came is counted" counts_all_that_came "$mode"
    check "$mode: and shown" is_shown "$mode"
    check "$mode: the recorder stops well" stop_gently "$pid"
    check "$mode: the tape has the topic" same_as_topic "$work/$mode" "$topic"
done
finish
