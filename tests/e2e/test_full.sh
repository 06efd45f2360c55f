#!/bin/bash
# test_full.sh - a recorder that is started on a full disk says so and waits; when there is room it records, and
# nothing was lost by it. Whoever ends the wait gets exit code 7.
#
# The disk is a small one in memory, mounted in a namespace of our own: no right is needed, where the system lets
# everyone have one.
if [ -z "${FULL_NAMESPACE:-}" ] && unshare -rm true 2>/dev/null; then
    FULL_NAMESPACE=1 exec unshare -rm "$0" "$@"
fi
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ -n "${FULL_NAMESPACE:-}" ] || skip "unshare -rm is not allowed here"

count=500
disk=$work/disk
tape=$disk/tape

endpoint_is_known() {
    grep -q '^tcp://' "$work/publisher.out"
}

fill() { # until nothing more fits
    ! head -c 64M /dev/zero >"$disk/filler" 2>/dev/null
}

says_that_it_is_full() {
    grep -q 'disk="full: nothing is recorded until there is room"' "$work/recorder.err"
}

no_room() { # no_room OPTION...: the exit code is 7, and why is said
    timeout 20 "$tapedeck" record --tape "$tape" "$@" "zmq://127.0.0.1:$port/ticks" >"$work/no.out" 2>&1
    code=$?
    cat "$work/no.out"
    [ "$code" = 7 ] && grep -q 'No space left' "$work/no.out"
}

every_frame_is_exact() {
    timeout 60 "$tapedeck" events --tape "$tape" --json >"$work/events.json" || return
    python3 "$here/check_ticks.py" "$count" <"$work/events.json"
}

trap 'umount -l "$disk" 2>/dev/null; cleanup' EXIT
mkdir "$disk"
need mount -t tmpfs -o size=8m none "$disk"
mkfifo "$work/hold"
"$build/client_zmq" "$count" <"$work/hold" >"$work/publisher.out" 2>"$work/publisher.err" &
started+=("$!")
exec 9>"$work/hold"
need wait_until 10 "the publisher says where it is" endpoint_is_known
port=$(sed -n 's/^tcp:.*:\([0-9]*\)$/\1/p' "$work/publisher.out")
need fill

check "the wait ends with --for, and exit code 7" no_room --for 1
start recorder "$tapedeck" record --tape "$tape" --until "$count" "zmq://127.0.0.1:$port/ticks"
recorder=$pid
check "it says that the disk is full" wait_until 10 "it is said" says_that_it_is_full
rm "$disk/filler"
check "with room it records, and ends" ends_well "$recorder" 30
check "it says that it goes on" grep -q 'disk="has room again: recording goes on"' "$work/recorder.err"
check "all numbers are there, in order, every frame exact" every_frame_is_exact
exec 9>&-
finish
