#!/usr/bin/env bash
# Wrong files, wrong data, logs that are not there, not whole, or held by somebody else.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

# Saga files.
run check "$saga"
expect_code 0
expect_out "ok: order@1"
printf 'saga: [order\n' >"$work/broken.saga.yaml"
run check "$work/broken.saga.yaml"
expect_code 1
expect_err "broken.saga.yaml:"
sed 's/    service: stock/    servise: stock/' "$saga" >"$work/unknown.saga.yaml"
run check "$work/unknown.saga.yaml"
expect_code 1
expect_err "E101"
expect_err 'did you mean "service"?'
sed 's/start: { when: order.placed }/start: { when: order.plced }/' "$saga" >"$work/misspelt.saga.yaml"
run check "$work/misspelt.saga.yaml" --json
expect_code 1
expect_json 'any(.[]; .code == "E102" and .line > 0)'
run check "$work/none.saga.yaml"
expect_code 4
run check "$saga" "$work/none.saga.yaml" "$work/unknown.saga.yaml"
expect_code 4
run deploy --log "local:$work/other" "$work/none.saga.yaml"
expect_code 4
run deploy --log "local:$work/other" "$work/unknown.saga.yaml"
expect_code 4
expect_err "E101"
run run --log "local:$work/other" --sagas "$work/broken.saga.yaml"
expect_code 4
run dev --log "local:$work/other" "$work/misspelt.saga.yaml"
expect_code 4
expect_err "E102"

# Logs that are not there.
run ls --log "local:$work/nowhere"
expect_code 3
expect_err "nowhere"
run show o1 --log nonsense
expect_code 4
run ls --log kafka://127.0.0.1:1
expect_code 3
expect_err "127.0.0.1:1"
run run --log kafka://127.0.0.1:1
expect_code 3
run emit --log kafka://127.0.0.1:1 --saga "$saga" order.placed '{"orderId":"o1"}'
expect_code 3
run ls --log local:/dev/null
[ "$code" -ge 3 ] || fail "a log that is no directory"

# A log on which no engine ran.
run deploy --log "$log" --partitions 3 "$saga" --json
expect_code 0
expect_json '.[0].new and .[0].saga == "order" and (.[0].hash | length == 64)'
run deploy --log "$log" "$saga"
expect_code 0
expect_out "was there"
sed 's/timeout: 1h/timeout: 2h/' "$saga" >"$work/changed.saga.yaml"
run deploy --log "$log" "$work/changed.saga.yaml"
expect_code 5
expect_err "E901"
run ls --log "$log"
expect_code 0
expect_err "no instances"
expect_no_out
run ls --log "$log" --prefix other
expect_code 1
expect_err "no engine has run here"
run show o1 --log "$log"
expect_code 1
expect_err 'there is no instance "o1"'

# Commands without an engine.
engine_start "$saga"
feed o1 order.placed
engine_stop
expect_code 0
run abort o1 --log "$log" --wait 300ms
expect_code 3
expect_err "no engine answered"
expect_err "stands on the log"
engine_start
wait_entries o1 2
run show o1 --log "$log"
expect_out "abort by tester"

# A second engine on the directory.
run run --log "$log"
expect_code 5
expect_err "process $engine"
run dev --log "$log"
expect_code 5

# Another number of partitions than it has.
engine_stop
run run --log "$log" --partitions 5
expect_code 5
expect_err "3"

# A file that is not whole.
mkdir "$work/damaged"
cp "$work"/log/*.db* "$work/damaged/" 2>/dev/null || cp -r "$work/log/." "$work/damaged/"
for file in "$work"/damaged/*; do
    [ ! -f "$file" ] || head -c 8192 /dev/urandom | dd of="$file" conv=notrunc status=none
done
run ls --log "local:$work/damaged"
[ "$code" -eq 4 ] || fail "exit code $code for a damaged file"
checks=$((checks + 1))

# Events.
engine_start
run emit --log "$log" order.plced '{"orderId":"o2"}'
expect_code 4
expect_err 'did you mean "order.placed"?'
run emit --log "$log" --saga "$saga" order.plced '{"orderId":"o2"}'
expect_code 4
expect_err 'saga order has no event "order.plced"'
run emit --log "$log" --saga nosuch order.placed '{"orderId":"o2"}'
expect_code 4
expect_err 'no saga "nosuch" is deployed'
run emit --log "$log" order.placed '{"orderId":"o2"'
expect_code 4
expect_err "the data:1:"
run emit --log "$log" order.placed '{"order":"o2"}'
expect_code 4
expect_err ".data.orderId"
run emit --log "$log" order.placed --data @"$work/none.json"
expect_code 4
expect_err "none.json"
run emit --log "$log" order.placed '{"orderId":"o2"}' --time yesterday
expect_code 4
expect_err '"yesterday" is no time'
run emit --log "$log" order.placed '{"orderId":"o2"}' --attribute Bad-Name=1
expect_code 4
run emit --log "$log" --topic nosuch --type a.b --key k '{}'
expect_code 4
run emit --log "$log" --topic nosuch --type a.b --key k '{}' '{}'
expect_code 2
run emit --log "$log" --topic nosuch --type a.b --key k --data '{}'
expect_code 4
expect_err "--create makes it"
head -c 2100000 /dev/zero | tr '\0' x >"$work/large"
printf '{"orderId":"big","text":"%s"}' "$(cat "$work/large")" >"$work/large.json"
run emit --log "$log" order.placed --data @"$work/large.json"
expect_code 4
expect_err "at most"
run_with $'{"event":"order.placed","data":{"orderId":"o2"}}\n{"event":"order.placed","data":{"orderId":\n' \
    emit --log "$log" --lines
expect_code 4
expect_out "1 on the log"
expect_err "standard input:2"

# Bytes that are no event, and events that belong nowhere: set aside, and the engine goes on.
run emit --log "$log" --plain --topic shop.events --key o9 --data '{"not":"an event"}'
expect_code 0
run emit --log "$log" --topic shop.events --type com.acme.order.placed --key o9 --data '{"order":"o9"}'
expect_code 0
run tail --log "$log" --topic troupe.dead-letters --from beginning --count 1 --timeout 10s --json
expect_code 0
expect_json '.[0].kind == "dead_letter" and (.[0].reason | length > 0)'
feed o3 order.placed
run ls --log "$log" --key o3 --json
expect_json '.[0].phase == "running"'
engine_stop
expect_code 0
