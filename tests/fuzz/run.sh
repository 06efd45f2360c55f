#!/bin/bash
# run.sh - run every fuzz target for a while, two at a time, from the corpus in tests/fuzz/corpus/NAME.
# usage: run.sh BUILD-DIRECTORY SECONDS-EACH
#
# New inputs go to BUILD/corpus/NAME and are used by the next run; an input that breaks something is kept
# in BUILD/findings and named.
set -u
build=$(cd "$1" && pwd) || exit 2
seconds=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$build/findings"

run_one() { # run_one NAME
    local name=$1 log=$build/findings/$1.log corpus=$build/corpus/$1 seeds=()
    mkdir -p "$corpus"
    [ -d "$here/corpus/$name" ] && seeds=("$here/corpus/$name")
    if "$build/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="$build/findings/$name-" "$corpus" "${seeds[@]}" \
        </dev/null >"$log" 2>&1; then
        echo "fuzz_$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, nothing broke"
    else
        echo "fuzz_$name: FAILED"
        tail -n 40 "$log"
        return 1
    fi
}

passed=0
failed=0
running=()

reap_oldest() {
    if wait "${running[0]}"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    running=("${running[@]:1}")
}

for source in "$here"/fuzz_*.c; do
    name=$(basename "$source" .c)
    run_one "${name#fuzz_}" &
    running+=($!)
    [ ${#running[@]} -lt 2 ] || reap_oldest
done
while [ ${#running[@]} -gt 0 ]; do
    reap_oldest
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
