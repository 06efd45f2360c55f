"""lag_lines.py - lag as lines "GROUP TOPIC PARTITION COMMITTED END LAG", sorted.

  lag_lines.py state <STATE     from what client_kafka prints about the broker: the other opinion
  lag_lines.py lag <LAG         from tapedeck lag --json
  lag_lines.py states <LAG      "GROUP TOPIC PARTITION STATE" from tapedeck lag --json
  lag_lines.py members <LAG     "GROUP MEMBER" from it, each once
"""
import json
import sys


def of_state(lines):
    ends, rows = {}, []
    for line in lines:
        word, *rest = line.split()
        if word == "offsets":
            ends[rest[0], rest[1]] = int(rest[3])
        elif word == "committed":
            rows.append(rest)
    for group, topic, partition, committed in rows:
        end = ends[topic, partition]
        yield group, topic, int(partition), int(committed), end, end - int(committed)


def of_lag(lines, with_states):
    for line in lines:
        flow = json.loads(line)
        for lane in flow["partitions"]:
            name = flow["group"], flow["stream"], lane["partition"]
            if with_states:
                yield *name, lane["state"]
            elif lane["committed"] is not None:
                numbers = (lane[key] for key in ("committed", "end", "lag"))
                yield *name, *(-1 if n is None else int(n) for n in numbers)


def members_of_lag(lines):
    flows = [json.loads(line) for line in lines]
    return {(flow["group"], lane["member"]) for flow in flows for lane in flow["partitions"] if lane["member"]}


kind = sys.argv[1]
if kind == "state":
    rows = of_state(sys.stdin)
elif kind == "members":
    rows = members_of_lag(sys.stdin)
else:
    rows = of_lag(sys.stdin, kind == "states")
for row in sorted(rows):
    print(*row)
