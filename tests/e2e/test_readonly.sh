#!/bin/bash
# test_readonly.sh - a tape on a read-only file system can be looked at: its events, its streams, its notes and
# what was replayed from it. The mount is in a namespace of our own, as in test_full.sh.
if [ -z "${READONLY_NAMESPACE:-}" ] && unshare -rm true 2>/dev/null; then
    READONLY_NAMESPACE=1 exec unshare -rm "$0" "$@"
fi
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ -n "${READONLY_NAMESPACE:-}" ] || skip "unshare -rm is not allowed here"

tape="$work/tape 100% #1?"

says() { # says TEXT ARGUMENT...: exit code 0, and TEXT on stdout
    local text=$1
    shift
    timeout 20 "$tapedeck" "$@" --tape "$tape" >"$work/said" || return
    cat "$work/said"
    grep -qF "$text" "$work/said"
}

event='{"v":1,"seq":"0","tap":"shop","stream":"orders","partition":0,"offset":"7","time":null,"time_type":"none","received":"2026-11-23T14:29:31.102000000Z","key":null,"headers":[],"payload":{"text":"seven"},"size":5}'
done_line='{"v":1,"done":true,"matched":"1","complete":true,"coverage":[]}'
printf '%s\n' "$event" "$done_line" >"$work/events.json"
need "$tapedeck" import --tape "$tape" "$work/events.json"
need "$tapedeck" replay plan --tape "$tape" --to "file://$work/target.json"
need "$tapedeck" bookmark add --tape "$tape" here seq=0
trap 'umount -l "$tape" 2>/dev/null; cleanup' EXIT
need mount --bind "$tape" "$tape"
need mount -o remount,bind,ro "$tape"

check "it is read-only" eval '! touch "$tape/x"'
check "its events" says seven events
check "its streams" says orders streams
check "what was planned from it" says plan replay log
check "its bookmarks" says here bookmark list
check "and it as a whole" says "events          1" tape info
finish
