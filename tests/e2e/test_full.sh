#!/bin/bash
# test_full.sh - a recorder that is started on a full disk says so and waits; when there is room it records, and
# nothing was lost by it. Whoever ends the wait gets exit code 7. Room for sealing is kept: a tape that fills its disk has no journal that cannot
# be sealed, goes on when little more is free, and with keep_bytes never stops.
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

# --- small disks ---

say_events() { # say_events FIRST COUNT: an export whose payloads do not compress
    python3 - "$1" "$2" <<'END'
import base64, json, random, sys
first, count = int(sys.argv[1]), int(sys.argv[2])
when = "2026-11-23T14:29:31.102000000Z"
for i in range(first, first + count):
    payload = base64.b64encode(random.Random(i).randbytes(4000)).decode()
    print(json.dumps({"v": 1, "seq": str(i), "tap": "shop", "stream": "orders", "partition": 0,
        "offset": str(i), "time": when, "time_type": "create", "received": when, "key": None,
        "headers": [], "payload": {"base64": payload}, "size": 4000}))
END
}

fills_the_disk() { # exit code 7, at once: what is on the tape is what was counted, all of it sealed
    timeout 60 "$tapedeck" import --tape "$tape" - <"$work/many" >"$work/import.out" 2>"$work/import.err"
    code=$?
    cat "$work/import.out" "$work/import.err"
    ls -l "$tape"
    [ "$code" = 7 ] && ! ls "$tape"/*.jnl
}

has_more_than() { # has_more_than EVENTS
    timeout 60 "$tapedeck" tape info --tape "$tape" --json >"$work/info.json" || return
    cat "$work/info.json"
    python3 -c 'import json,sys; sys.exit(int(json.load(sys.stdin)["end_seq"]) <= int(sys.argv[1]))' "$1" <"$work/info.json"
}

every_offset_once() { # from the first that is there to the last
    timeout 60 "$tapedeck" events --tape "$tape" --json >"$work/events.json" || return
    python3 -c '
import json, sys
offsets = [int(e["offset"]) for e in map(json.loads, sys.stdin) if "offset" in e]
sys.exit(not offsets or offsets != list(range(offsets[0], offsets[0] + len(offsets))))' <"$work/events.json"
}

say_events 0 6000 >"$work/many" # 24 MB
rm -rf "$tape"
need mount -o remount,size=16m "$disk"
check "a tape that fills the disk has everything sealed" fills_the_disk
check "most of the disk is used" has_more_than 3500
check "what was counted is there" every_offset_once
check "the tape is whole" timeout 60 "$tapedeck" tape verify --tape "$tape"
events=$(sed -n 's/.*"end_seq":"\([0-9]*\)".*/\1/p' "$work/info.json")
need mount -o remount,size=18m "$disk"
check "with a little more room it goes on" fills_the_disk
check "and has more" has_more_than $((events + 200))
check "without a gap" every_offset_once
finish
