#!/usr/bin/env python3
"""Check that `tapedeck events --json` holds what client_zmq sent: check_ticks.py COUNT <events.json

The first frame of a message is the key, the last the payload, those between are headers "zmq.frame".
"""

import base64
import json
import sys

ALL = {"base64": base64.b64encode(bytes(range(256))).decode()}
EMPTY = {"text": ""}


def wanted(number):
    text = {"text": str(number)}
    frames = [[text], [text, EMPTY], [text, ALL], [text, ALL, EMPTY, text]][number % 4]
    return {
        "offset": str(number),
        "key": {"text": "ticks"},
        "headers": [["zmq.frame", frame] for frame in frames[:-1]],
        "payload": frames[-1],
    }


def main():
    count = int(sys.argv[1])
    events = [json.loads(line) for line in sys.stdin]
    done = events.pop() if events and events[-1].get("done") else None
    if done is None:
        sys.exit("no closing line, the answer was cut off")
    for number, event in enumerate(events):
        seen = {field: event[field] for field in wanted(number)}
        if seen != wanted(number):
            sys.exit(f"message {number}: wanted {wanted(number)}, seen {seen}")
    if len(events) != count:
        sys.exit(f"wanted {count} messages, seen {len(events)}")


main()
