#!/bin/bash
# test_many_groups.sh - a look at more groups than are asked for at a time: all of them are asked to the end, and each has the
# numbers that belong to its commit.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_broker --set offsets.topic.num.partitions=1
topic=$(unique groups)
groups=1200
events=150

# "GROUP COMMITTED END LAG" of every partition that it knows.
numbers() {
    "$tapedeck" lag --json "$@" "kafka://$address/$topic" >"$work/lag.json" || return
    python3 -c '
import json, sys
for line in sys.stdin:
    flow = json.loads(line)
    for lane in flow.get("partitions", []):
        print(flow["group"], lane["committed"], lane["end"], lane["lag"])' <"$work/lag.json" | sort
}

wanted() {
    local group
    for ((group = 0; group < groups; group++)); do
        echo "many-$group $((group % 100)) $events $((events - group % 100))"
    done | sort
}

every_group_is_known() {
    wanted >"$work/wanted" && numbers --samples 1 >"$work/numbers" && diff "$work/wanted" "$work/numbers" | head -n 20
    cmp -s "$work/wanted" "$work/numbers"
}

# A recorder asks 500 of them at a time: after some samples all are on the tape.
every_group_is_on_the_tape() {
    "$tapedeck" events --json --tape "$work/tape" stream=@lag >"$work/told" || return
    python3 -c '
import json, re, sys
names = set(re.findall(r"many-[0-9]+", sys.stdin.read()))
print(len(names), "groups are on the tape")
sys.exit(len(names) != int(sys.argv[1]))' "$groups" <"$work/told"
}

need "$client" topic "$address" "$topic" 1
need "$producer" produce "$address" "$topic" 0 "$events"
need "$client" groups "$address" many "$groups" "$topic" 0
check "one look has the numbers of all groups" every_group_is_known
printf '[lag]\ninterval = 1s\n' >"$work/lag.conf"
start recorder "$tapedeck" record --config "$work/lag.conf" --tape "$work/tape" "kafka://$address/$topic"
check "a recorder's looks come to all of them" \
    wait_until 60 "every group is on the tape" every_group_is_on_the_tape
check "the recorder ends well" stop_gently "$pid"
finish
