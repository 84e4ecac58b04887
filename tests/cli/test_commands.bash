#!/usr/bin/env bash
# What operators tell instances: each command, what it does, what it refuses and how it says so.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

engine_start "$saga"
for key in a1 a2 a3 a4 a5; do feed $key order.placed; done

# abort
run abort a1 --log "$log" --reason "customer called" --who ann
expect_code 0
expect_out "abort by ann"
expect_out "compensating"
run abort a1 --log "$log" --json
expect_json '.[0] | .refused and .key == "a1" and .saga == "order" and (.why | length > 0) and .input.who == "tester"'
expect_code 1
run abort nosuch --log "$log"
expect_code 1
expect_err 'there is no instance "nosuch"'
run abort --log "$log"
expect_code 2
run abort a2 --log "$log" --force
expect_code 2
expect_err "--force needs a --reason"

# suspend, resume
run suspend a2 --log "$log" --reason "look"
expect_code 0
run ls --log "$log" --key a2
expect_out "suspended"
run suspend a2 --log "$log"
expect_code 1
expect_err "suspended already"
feed a2 charged
run ls --log "$log" --key a2 --json
expect_json '.[0].flags == ["suspended"] and (.[0].open | length) == 1'
run resume a2 --log "$log" --json
expect_code 0
expect_json '.[0].refused == false'
run resume a2 --log "$log"
expect_code 1
run show a2 --log "$log"
expect_out "ask reserve"

# resolve a step past the pivot
feed a3 charged reserved captured
run abort a3 --log "$log"
expect_code 1
expect_err "the pivot is passed"
run resolve a3 ship retry --note "again" --log "$log"
expect_code 1
expect_err "not stuck"
feed a3 ship.refused
run show a3 --log "$log"
expect_out "troupe resolve a3 ship retry|skip|complete|fail"
run resolve a3 ship --log "$log"
expect_code 2
run resolve a3 ship complete --log "$log"
expect_code 2
expect_err "--note"
run resolve a3 shp complete --note x --log "$log"
expect_code 2
expect_err 'did you mean "ship"?'
run resolve a3 ship complte --note x --log "$log"
expect_code 2
expect_err 'did you mean "complete"?'
run resolve a3 ship skip --data '{}' --note x --log "$log"
expect_code 2
run resolve a3 ship complete --data '{' --note x --log "$log"
expect_code 4
run resolve a3 ship complete --event nosuch --note x --log "$log"
expect_code 1
expect_err "no such outcome"
run resolve a3 ship complete --data '{"by":"phone"}' --note "by phone" --log "$log"
expect_code 0
expect_out "ship done"
run show a3 --log "$log" --json --data
expect_json '.[0] | .phase == "completed" and (.steps[] | select(.step == "ship") | .out.by) == "phone"'

# resolve an undo
feed a4 charged reserve.refused refund.refused
run resolve a4 charge/undo done_by_hand --note "in the bank's portal" --log "$log"
expect_code 0
expect_out "compensated"
feed a5 charged reserve.refused refund.refused
run resolve a5 charge/undo retry --note "again" --log "$log"
expect_code 0
expect_out "undo refund"
feed a5 refund.refused
run resolve a5 charge/undo give_up --note "gone" --log "$log"
expect_code 0
expect_out "damaged"

# purge
run purge a2 --log "$log"
expect_code 1
expect_err "has not ended"
sleep 1.1
run purge a4 --log "$log"
expect_code 0
run ls --log "$log" --key a4
expect_out "purged"

# abort --force past the pivot
feed a6 order.placed charged reserved captured
run abort a6 --log "$log" --force --reason "recall"
expect_code 0
expect_out "charge owed"

# The same key in two sagas.
sed -e 's/saga: order/saga: twin/' -e 's/asks: /asks: /' "$saga" >"$work/twin.saga.yaml"
run deploy --log "$log" "$work/twin.saga.yaml"
expect_code 0
sleep 0.5
feed both order.placed
for ((i = 0; i < 100; i++)); do
    run ls --log "$log" --key both --json
    [ "$(wc -l <"$work/out")" -lt 2 ] || break
    sleep 0.05
done
expect_lines 2
run show both --log "$log"
expect_code 2
expect_err "name one with --saga"
run abort both --log "$log"
expect_code 2
run abort both --log "$log" --saga twin
expect_code 0
run ls --log "$log" --key both --saga order --json
expect_json '.[0].phase == "running"'
engine_stop
expect_code 0
run verify --log "$log"
expect_code 0
