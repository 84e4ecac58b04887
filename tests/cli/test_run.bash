#!/usr/bin/env bash
# run, dev and play as processes: ready lines, signals, the live story.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

wait_line() { # FILE PATTERN
    local i
    for ((i = 0; i < 200; i++)); do
        ! grep -q -- "$2" "$1" || return 0
        sleep 0.05
    done
    echo "no \"$2\" in $1" >&2
    cat "$1" >&2
    exit 1
}

# run: logs to standard error, one ready line, ends with 0 on both signals.
for signal in TERM INT; do
    "$troupe" run --log "$log" --partitions 3 --sagas "$saga" --log-format json >"$work/run.out" 2>"$work/run.err" </dev/null &
    engine=$!
    wait_line "$work/run.err" '"message":"ready"'
    kill -$signal $engine
    code=0
    wait $engine || code=$?
    engine=''
    last="run, stopped by SIG$signal"
    : >"$work/out"
    : >"$work/err"
    expect_code 0
    checks=$((checks + 3))
    [ ! -s "$work/run.out" ] || fail "run writes to standard output"
    [ "$(grep -c '"message":"ready"' "$work/run.err")" -eq 1 ] || fail "not one ready line"
    jq -es 'all(.[]; .time and .level and .message)' "$work/run.err" >/dev/null || fail "a log line is no JSON"
done

# dev: the story as it happens.
engine_start
emit order.placed d1
wait_line "$work/engine.out" "ask charge"
emit charge.refused d1
wait_line "$work/engine.out" "emit order.cancelled"
engine_stop
expect_code 0
grep -q "d1 .*charge.refused .*charge failed; reserve, capture, ship cancelled" "$work/engine.out" ||
    fail "the story is another"
checks=$((checks + 1))

# dev --json; what came while it was off is told too, what was told before is not.
emit order.placed d2
engine_json() {
    "$troupe" dev --log "$log" --partitions 3 --json >"$work/json.out" 2>"$work/json.err" </dev/null &
    engine=$!
}
engine_json
wait_line "$work/json.out" '"ask":"charge"'
engine_stop
cp "$work/json.out" "$work/out"
expect_json 'length == 1 and .[0].key == "d2" and .[0].input.event == "order.placed" and .[0].effects[0].phase == "running"'

# play goes on as it was.
run_with '{"at":0,"event":"order.placed","data":{"orderId":"p1","total":1}}
{"at":1,"answer":"charge.refused","to":"charge"}' play "$saga"
expect_code 0
expect_json '.[0].phase == "running" and .[1].ask == "charge" and .[2].phase == "compensating"'
run_with '{"at":0,"evnt":"x"}' play "$saga"
expect_code 4
run play
expect_code 2
run play --stats "$saga"
expect_code 2
run play "$work/none.saga.yaml"
expect_code 4
