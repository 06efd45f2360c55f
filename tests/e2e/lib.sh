# lib.sh - what the end-to-end scripts share; each of them sources it first.
#
# usage of a script: test_NAME.sh BUILD-DIRECTORY
#
# A script makes its checks with `check` and ends with `finish`, which prints the closing line. What a
# script starts with `start`, and its directory $work, are gone when it ends, however it ends.
# $KAFKA_ADDRESS names a broker that is shared; without it, `need_broker` starts one.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${1:?names the build directory}" && pwd) || exit 2
name=$(basename "$0" .sh)
broker_script=$here/../support/kafka_broker.sh
tapedeck=$build/tapedeck
client=$build/client_kafka
producer=$build/client_kafka_produce

export LC_ALL=C.UTF-8 CLIENT_KAFKA=$client
# A finding of a sanitizer must not pass for one of the exit codes that we expect.
export ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:exitcode=99
unset TAPEDECK_TAPE
work=$(mktemp -d "${TMPDIR:-/tmp}/tapedeck-e2e.XXXXXX") || exit 2
export XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data # nobody's own settings and tapes

passed=0
failed=0
skipped=0
started=() # pids
declare -A errors=() # by pid, where the process writes its stderr
clusters=()

cleanup() {
    local pid cluster
    for pid in "${started[@]}"; do
        kill -9 "$pid" 2>/dev/null
    done
    for cluster in "${clusters[@]}"; do
        "$broker_script" stop "$cluster"
    done
    wait 2>/dev/null
    if [ -n "${TAPEDECK_KEEP:-}" ]; then
        echo "$name: kept $work"
    else
        rm -rf "$work"
    fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

check() { # check WHAT COMMAND...: one check, with what the command printed when it failed
    local what=$1
    shift
    if "$@" >"$work/check.out" 2>&1; then
        passed=$((passed + 1))
        echo "  ok      $what"
    else
        failed=$((failed + 1))
        echo "  FAILED  $what"
        tail -c 3000 "$work/check.out" | cat -v | sed 's/^/          /'
    fi
}

finish() {
    printf '%s: %d passed, %d failed' "$name" "$passed" "$failed"
    [ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
    printf '\n'
    [ "$failed" = 0 ]
    exit
}

# The rest cannot be checked here, for want of a right that no package gives.
skip() { # skip WHY
    echo "skipped: $name: $1"
    skipped=$((skipped + 1))
    finish
}

# Something without which the rest makes no sense.
need() { # need COMMAND...
    "$@" >"$work/need.out" 2>&1 && return
    echo "  FAILED  cannot go on: $(basename "$1") ${*:2}"
    tail -c 3000 "$work/need.out" | cat -v | sed 's/^/          /'
    failed=$((failed + 1))
    finish
}

start() { # start NAME COMMAND...: in the background; $pid, output in $work/NAME.out and .err
    local out=$work/$1
    shift
    "$@" </dev/null >"$out.out" 2>"$out.err" &
    pid=$!
    started+=("$pid")
    errors[$pid]=$out.err
}

last_errors() { # last_errors PID: what it said last on stderr, when `start` started it
    echo "process $1 said last:"
    tail -n 10 "${errors[$1]:-/dev/null}"
}

wait_until() { # wait_until SECONDS WHAT COMMAND...: until the command succeeds
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >"$work/wait.out" 2>&1; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "waited in vain until $what; last seen:"
            tail -c 2000 "$work/wait.out"
            return 1
        fi
        sleep 0.1
    done
}

ended() { # ended PID
    ! kill -0 "$1" 2>/dev/null
}

ends_well() { # ends_well PID SECONDS: a child of ours ends by itself, with 0
    if ! wait_until "$2" "process $1 ends" ended "$1"; then
        kill -9 "$1"
        return 1
    fi
    wait "$1" && return
    echo "process $1 ended with exit code $?"
    last_errors "$1"
    return 1
}

stop_gently() { # stop_gently PID: SIGINT, as a person does; its exit code must be 0
    if kill -INT "$1"; then
        ends_well "$1" 30
    else
        last_errors "$1"
        return 1
    fi
}

need_broker() { # need_broker [OPTION]...: $address; options make it a broker of this script alone
    if [ $# = 0 ] && [ -n "${KAFKA_ADDRESS:-}" ]; then
        address=$KAFKA_ADDRESS
        return
    fi
    cluster=$work/kafka
    clusters+=("$cluster")
    need "$broker_script" start "$cluster" --owner $$ "$@"
    address=$("$broker_script" address "$cluster")
}

# A topic's name that nobody else uses on a shared broker.
unique() { # unique NAME
    echo "$1-$$"
}

record_to_end() { # record_to_end TAPE TOPIC[,TOPIC]... [OPTION]...
    local tape=$1 topics=$2
    shift 2
    timeout 120 "$tapedeck" record --tape "$tape" --from beginning --until end "$@" \
        "kafka://$address/$topics"
}

tape_lines() { # tape_lines TAPE TOPIC: a topic on the tape as client_kafka dump prints it
    timeout 120 "$tapedeck" events --tape "$1" --json >"$work/events.json" || return
    python3 "$here/canonical.py" "$2" <"$work/events.json"
}

topic_lines() { # topic_lines TOPIC
    timeout 120 "$client" dump "$address" "$1"
}

# The tape holds exactly what the topic holds: no event less, none twice, each byte the same.
same_as_topic() { # same_as_topic TAPE TOPIC
    tape_lines "$1" "$2" >"$work/tape.lines" || return
    topic_lines "$2" >"$work/topic.lines" || return
    [ -s "$work/topic.lines" ] || return
    same_lines "$work/topic.lines" "$work/tape.lines"
}

same_lines() { # same_lines WANTED SEEN
    cmp -s "$1" "$2" && return
    echo "wanted $(wc -l <"$1") lines, seen $(wc -l <"$2"); the first that differ:"
    diff "$1" "$2" | cut -c1-300 | head -n 6
    return 1
}

# Run a command of tapedeck that must fail: with this exit code, soon, and with one line on stderr that
# says why; behind it there may only be the text that is wrong, with a caret under the place.
refused() { # refused CODE SECONDS ARGUMENT...
    local wanted=$1 seconds=$2 code err=$work/refused.err
    shift 2
    timeout "$seconds" "$tapedeck" "$@" </dev/null >"$work/refused.out" 2>"$err"
    code=$?
    echo "exit code $code, wanted $wanted (124: it took longer than $seconds s); stderr:"
    cat "$err"
    [ "$code" = "$wanted" ] || return 1
    head -n 1 "$err" | grep -q '^tapedeck: .' || { echo "does not begin with 'tapedeck: '"; return 1; }
    [ "$(wc -l <"$err")" = 1 ] || sed -n '3s/^ *^$/caret/p;4q' "$err" | grep -q caret ||
        { echo "more than one line, and no caret"; return 1; }
    ! LC_ALL=C grep -q -a -P '[\x00-\x08\x0b-\x1f\x7f]' "$err" || { echo "control characters"; return 1; }
}
