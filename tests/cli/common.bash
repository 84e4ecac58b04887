#!/usr/bin/env bash
# What the tests of the command share. A test calls it with the program: `. common.bash`, then `run`, and says what it
# expects. Every failed expectation is told, and the test goes on; the exit code counts them.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: $0 TROUPE [--rewrite]" >&2 && exit 2; }
troupe=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
rewrite=${2:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/troupe-cli.XXXXXX")
log=local:$work/log
cd "$work" # what a command makes without being told where is removed too
# shellcheck disable=SC2034 # the tests use it
saga=$here/data/order.saga.yaml
export TZ=UTC LC_ALL=C USER=tester
unset NO_COLOR TROUPE_CONFIG TROUPE_LOG TROUPE_PREFIX
failures=0 checks=0 engine='' code=0

command -v jq >/dev/null || { echo "skipped: jq is not here" && exit 77; }

# shellcheck disable=SC2317 # called by the trap
finish() {
    local status=$?
    [ -z "$engine" ] || kill -TERM "$engine" 2>/dev/null || true
    [ -z "$engine" ] || wait "$engine" 2>/dev/null || true
    rm -rf "$work"
    [ $status -eq 0 ] || exit $status
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ] || exit 1
}
trap finish EXIT

fail() {
    failures=$((failures + 1))
    local file=${BASH_SOURCE[2]:-$0}
    echo "FAILED: ${file##*/}:${BASH_LINENO[1]:-?}: $*" >&2
    echo "  command: troupe $last" >&2
    echo "  code $code; stdout:" >&2
    head -n 20 "$work/out" | sed 's/^/    /' >&2
    echo "  stderr:" >&2
    head -n 20 "$work/err" | sed 's/^/    /' >&2
}

# Runs the program; its code is in $code, what it wrote in $work/out and $work/err.
last=''
run() {
    last="$*"
    code=0
    "$troupe" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
}
# The same with the first argument as standard input.
run_with() {
    local input=$1
    shift
    last="$*"
    code=0
    printf '%s' "$input" | "$troupe" "$@" >"$work/out" 2>"$work/err" || code=$?
}

expect_code() {
    checks=$((checks + 1))
    [ "$code" -eq "$1" ] || fail "exit code $code, not $1"
}
expect_out() { # TEXT: standard output has it
    checks=$((checks + 1))
    grep -qF -- "$1" "$work/out" || fail "no \"$1\" on standard output"
}
expect_err() {
    checks=$((checks + 1))
    grep -qF -- "$1" "$work/err" || fail "no \"$1\" on standard error"
}
expect_no_out() {
    checks=$((checks + 1))
    [ ! -s "$work/out" ] || fail "standard output is not empty"
}
expect_no_err() {
    checks=$((checks + 1))
    [ ! -s "$work/err" ] || fail "standard error is not empty"
}
expect_lines() { # N lines on standard output
    checks=$((checks + 1))
    [ "$(wc -l <"$work/out")" -eq "$1" ] || fail "$(wc -l <"$work/out") lines, not $1"
}
# Every line of standard output is a JSON object, and FILTER (if given) is true of the list of them.
expect_json() {
    checks=$((checks + 1))
    jq -es "all(.[]; type == \"object\") and length > 0 and (${1:-true})" "$work/out" >/dev/null 2>&1 ||
        fail "JSON: ${1:-objects}"
}

# Standard output as golden/NAME.txt has it; times, ids and places are normalised. Rewritten with --rewrite.
normal() {
    sed -E -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z?/TIME/g' \
        -e 's/ *\+[0-9]+(\.[0-9]{3}s|m[0-9]{2}s)/ +T/g' -e 's/[0-9]+\.[0-9]{3}s|[0-9]+m[0-9]{2}s|[0-9]+h[0-9]{2}m/SPAN/g' \
        -e 's/ +SPAN/ SPAN/g' -e 's/[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}/CLOCK/g' -e 's/[0-9a-f]{32}/ID/g' \
        -e 's/[0-9a-f]{16}/HASH/g' -e 's/@[0-9]+/@N/g' -e 's/epoch [0-9]+/epoch N/g' \
        -e 's/ +$//'
}
expect_golden() {
    checks=$((checks + 1))
    if [ "$rewrite" = --rewrite ]; then
        normal <"$work/out" >"$here/golden/$1.txt"
        return
    fi
    normal <"$work/out" | diff -u "$here/golden/$1.txt" - >"$work/diff" || {
        fail "differs from golden/$1.txt:"
        cat "$work/diff" >&2
    }
}

# An engine in the background; it is ready when this returns.
engine_start() { # ARGUMENT...
    : >"$work/engine.out"
    "$troupe" dev --log "$log" --partitions 3 "$@" >"$work/engine.out" 2>"$work/engine.err" </dev/null &
    engine=$!
    local i
    for ((i = 0; i < 200; i++)); do
        ! grep -q '^ready' "$work/engine.out" || return 0
        kill -0 $engine 2>/dev/null || break
        sleep 0.05
    done
    echo "the engine does not run:" >&2
    cat "$work/engine.out" "$work/engine.err" >&2
    exit 1
}
engine_stop() {
    code=0
    kill -TERM "$engine"
    wait "$engine" || code=$?
    last="dev, stopped by SIGTERM"
    engine=''
}
# Until the instance KEY has taken so many entries.
wait_entries() { # KEY COUNT
    local i found=0
    for ((i = 0; i < 200; i++)); do
        found=$(entries_of "$1")
        [ "${found:-0}" -lt "$2" ] || return 0
        sleep 0.05
    done
    echo "$1 has ${found:-0} entries, not $2" >&2
    exit 1
}
emit() { # EVENT KEY
    "$troupe" emit --log "$log" "$1" "{\"orderId\":\"$2\",\"total\":5}" >/dev/null
}
# The same, and waits until the instance has taken it: topics have no order among them.
entries_of() { # KEY
    "$troupe" ls --log "$log" --key "$1" --json 2>/dev/null | jq -r '.entries' | head -n 1
}
feed() { # KEY EVENT...
    local key=$1 event count
    shift
    for event in "$@"; do
        count=$(entries_of "$key")
        emit "$event" "$key"
        wait_entries "$key" $((${count:-0} + 1))
    done
}
