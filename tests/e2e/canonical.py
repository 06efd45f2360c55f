#!/usr/bin/env python3
"""Turn `tapedeck events --json` into the lines that `client_kafka dump` prints.

usage: canonical.py STREAM [--strip HEADER-PREFIX] <events.json

One line per event of the stream, sorted by partition and offset: partition offset time-in-ms type
key [headers] payload, bytes as x and hex digits, or null. Headers whose names begin with the prefix
are left out. Fails when the events do not come in the order of the tape, or the answer was cut off.
"""

import argparse
import base64
import datetime
import json
import sys


def hex_of(value):
    if value is None:
        return "null"
    if "text" in value:
        return "x" + value["text"].encode("utf-8").hex()
    return "x" + base64.b64decode(value["base64"], validate=True).hex()


def milliseconds_of(text):
    if text is None:
        return -1
    whole, fraction = text.removesuffix("Z").split(".")
    second = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    if len(fraction) != 9 or fraction[3:] != "000000":
        sys.exit(f"canonical: a time with more than milliseconds: {text}")
    return int(second.timestamp()) * 1000 + int(fraction[:3])


def line_of(event, prefix):
    headers = ",".join(
        f"{hex_of({'text': name})}={hex_of(value)}"
        for name, value in event["headers"]
        if prefix is None or not name.startswith(prefix)
    )
    return (
        f"{event['partition']} {event['offset']} {milliseconds_of(event['time'])} {event['time_type']} "
        f"{hex_of(event['key'])} [{headers}] {hex_of(event['payload'])}"
    )


def main():
    options = argparse.ArgumentParser()
    options.add_argument("stream")
    options.add_argument("--strip")
    arguments = options.parse_args()

    lines = []
    last_seq = -1
    done = None
    for text in sys.stdin:
        event = json.loads(text)
        if event.get("done"):
            done = event
            continue
        if int(event["seq"]) <= last_seq:
            sys.exit(f"canonical: seq {event['seq']} after {last_seq}")
        last_seq = int(event["seq"])
        if event["stream"] == arguments.stream:
            lines.append((event["partition"], int(event["offset"]), line_of(event, arguments.strip)))
    if done is None:
        sys.exit("canonical: no closing line, the answer was cut off")
    for _, _, line in sorted(lines, key=lambda row: row[:2]):
        print(line)


main()
