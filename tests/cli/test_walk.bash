#!/usr/bin/env bash
# Orders from start to end, their services played by hand: emit, tail, ls, show, replay, verify, while the engine runs and
# when it does not.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

engine_start "$saga"
run emit --log "$log" order.placed '{"orderId":"o1","total":5}' --json
expect_code 0
expect_json '.[0].topic == "shop.events" and .[0].key == "o1" and .[0].event == "order.placed" and .[0].offset == 0'
wait_entries o1 1
run tail --log "$log" --event charge --count 1 --timeout 10s --from beginning --json
expect_code 0
expect_json '.[0].kind == "ask" and .[0].cloudevent.sagastep == "charge" and .[0].cloudevent.data.total == 5'
run emit --log "$log" --saga "$saga" charged --data '{"orderId":"o1"}' --id c1 --source bank-2 \
    --time 2025-11-21T09:12:03Z --attribute tenant=blue
expect_code 0
wait_entries o1 2
run tail --log "$log" --event charged --no-follow --from beginning --json
expect_json '.[0].cloudevent | .id == "c1" and .source == "bank-2" and .tenant == "blue" and
    (.time | startswith("2025-11-21T09:12:03"))'
feed o1 reserved
run ls --log "$log"
expect_code 0
expect_golden ls-running
run show o1 --log "$log"
expect_code 0
expect_golden show-running
feed o1 captured shipped

# One that turns back, through all of a human's acts.
run_with '{"event":"order.placed","data":{"orderId":"o2","total":7}}
{"type":"com.acme.order.placed","data":{"orderId":"o3","total":8},"id":"x3"}' emit --log "$log" --lines
expect_code 0
expect_out "2 on the log"
wait_entries o2 1
feed o2 charged reserve.refused refund.refused
run ls --log "$log" --stuck --json
expect_json 'length == 1 and .[0].key == "o2" and .[0].stuck and .[0].debts[0].U == "ustuck"'
run show o2 --log "$log"
expect_out "a human is needed"
expect_golden show-stuck

run ls --log "$log" --phase completed,compensating --json
expect_json '[.[].key] | sort == ["o1", "o2"]'
run ls --log "$log" --phase completed
expect_lines 2
run ls --log "$log" --saga order --key o --json
expect_json 'length == 3 and all(.[]; .saga == "order" and .version == 1 and (.started | test("^[0-9-]+T[0-9:]+\\.[0-9]{3}Z$")))'
run ls --log "$log" --saga other
expect_code 0
expect_no_out
run ls --log "$log" --older-than 1h
expect_no_out
run ls --log "$log" --younger-than 1h --json
expect_json 'length == 3'

run show o1 --log "$log" --json --data
expect_code 0
expect_json '.[0] | .phase == "completed" and .data.total == 5 and (.steps | length) == 4 and (.history | length) == 5'
expect_json '.[0].steps[] | select(.step == "charge") | .F == "done" and .U == "released"'
run show o1 --log "$log" --no-history --json
expect_json '.[0] | has("history") | not'
run show o1 --log "$log"
expect_golden show-completed
run show o1 --log "$log" --data
expect_out '"total": 5'
run show o1 --log "$log" --saga other
expect_code 1
run replay o1 --log "$log"
expect_code 0
expect_golden replay-completed
run replay o2 --log "$log"
expect_golden replay-stuck
run replay o1 --log "$log" --until 2
expect_out "#2"
checks=$((checks + 1))
! grep -q '#3' "$work/out" || fail "--until 2 shows entry 3"
run replay o1 --log "$log" --json
expect_json 'length == 5 and ([.[].seq] == [1,2,3,4,5]) and .[4].state.phase == "completed" and
    all(.[]; .cause.kind == "source" and .changes and .effects)'
expect_json '.[0].changes | any(.change == "f" and .name == "charge.F" and .to == "open")'

# What tail makes of every topic of ours.
for topic in troupe.journal troupe.snapshots troupe.definitions troupe.inbox troupe.events; do
    run tail --log "$log" --topic $topic --from beginning --no-follow --json
    expect_code 0
    run tail --log "$log" --topic $topic --from beginning --no-follow
    expect_code 0
done
run tail --log "$log" --topic troupe.journal --from beginning --no-follow --json
expect_json 'any(.[]; .kind == "claim") and any(.[]; .kind == "entry" and .saga == "order")'
run tail --log "$log" --topic troupe.events --key o2 --from beginning --no-follow --json
expect_json 'any(.[]; .event == "saga.compensating")'
run tail --log "$log" --from 1h --key o1 --no-follow
expect_code 0
expect_golden tail
run tail --log "$log" --from 9999 --no-follow
expect_code 0
expect_no_out
run tail --log "$log" --topic nosuch
expect_code 1
run tail --log "$log" --saga nosuch
expect_code 1
run tail --log "$log" --saga order --from beginning --event order.placed --no-follow --json
expect_json 'length == 3'
run tail --log "$log" --saga "$saga" --from beginning --event com.acme.order.placed --no-follow --json
expect_json 'length == 3'
run tail --log "$log" --count 5 --timeout 300ms
expect_code 1
expect_err "only 0 of 5"
run tail --log "$log" --timeout 300ms
expect_code 0

# A follower sees what comes after it, on a topic that is new as well.
"$troupe" tail --log "$log" --count 1 --timeout 20s --event extra --json >"$work/followed" &
follower=$!
sleep 0.5
sed -e 's/saga: order/saga: extra/' -e 's/order.placed/extra/g' -e 's/shop/kiosk/g' "$saga" >"$work/extra.saga.yaml"
run deploy --log "$log" "$work/extra.saga.yaml"
expect_code 0
run emit --log "$log" extra --saga extra '{"orderId":"e1"}'
expect_code 0
wait $follower
checks=$((checks + 1))
jq -e '.event == "extra" and .topic == "kiosk.events"' "$work/followed" >/dev/null || fail "the follower saw nothing"

# Plain records.
run_with $'{"case":"c1","n":1}\n{"case":2}\n' emit --log "$log" --plain --topic erp --create --key-from .case --lines --json
expect_code 0
expect_json '[.[].key] == ["c1", "2"]'
run emit --log "$log" --plain --topic erp --key c3 --data 'no JSON'
expect_code 0
run tail --log "$log" --topic erp --from beginning --no-follow --json
expect_json 'length == 3 and all(.[]; .kind == "plain") and any(.[]; .value == "no JSON")'
run_with '{"a":1}' emit --log "$log" --plain --topic erp --key c4 --data -
expect_code 0
run emit --log "$log" --plain --topic erp
expect_code 2
run emit --log "$log" --plain --data x
expect_code 2

# What was read while the engine ran is read the same without it; a broken pipe is no failure.
run show o1 --log "$log" --json
cp "$work/out" "$work/alive"
engine_stop
expect_code 0
grep -q "fulfilled" "$work/engine.out" || fail "the story has no end"
checks=$((checks + 1))
run show o1 --log "$log" --json
expect_code 0
cmp -s "$work/out" "$work/alive" || fail "show differs without the engine"
run verify --log "$log"
expect_code 0
run verify --log "$log" --json
expect_json 'length == 3 and all(.[]; .same)'
set +o pipefail
"$troupe" tail --log "$log" --from beginning --topic troupe.journal --no-follow 2>"$work/err" | head -n 1 >/dev/null
[ "${PIPESTATUS[0]}" -eq 0 ] && [ ! -s "$work/err" ] || fail "a broken pipe is a failure"
"$troupe" replay --log "$log" o1 2>"$work/err" | head -n 1 >/dev/null
[ "${PIPESTATUS[0]}" -eq 0 ] && [ ! -s "$work/err" ] || fail "a broken pipe is a failure"
set -o pipefail
checks=$((checks + 2))
run ls --log "$log"
checks=$((checks + 1))
! grep -q $'\033' "$work/out" || fail "colour in a file"
if command -v script >/dev/null; then # colour on a terminal, and not with NO_COLOR
    TERM=xterm script -qec "'$troupe' ls --log '$log'" /dev/null </dev/null >"$work/out"
    grep -q $'\033' "$work/out" || fail "no colour on a terminal"
    NO_COLOR=1 TERM=xterm script -qec "'$troupe' ls --log '$log'" /dev/null </dev/null >"$work/out"
    ! grep -q $'\033' "$work/out" || fail "colour with NO_COLOR"
    checks=$((checks + 2))
fi
if [ -w /dev/full ]; then
    "$troupe" ls --log "$log" >/dev/full 2>"$work/err" && fail "a full disk is no failure"
    checks=$((checks + 1))
fi
