#!/usr/bin/env bash
# Services that are killed (kill -9) again and again while orders go through them: every order ends completed or
# compensated, and every effect was made once, counted by idempotency key in the services' ledgers.
#   services_crash.sh TROUPE [SEED]
set -euo pipefail
troupe=$1
RANDOM=${2:-$$}
echo "seed ${2:-$$}"
count=40
[ -x "$troupe" ] || { echo "error: no program \"$troupe\"" >&2 && exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
saga=$root/examples/order-fulfilment/order-fulfilment.saga.yaml
programs=$(dirname "$troupe")/examples/order-fulfilment
folder=$(mktemp -d)
mkdir "$folder/log"
log=local:$folder/log
services=(fraud payments stock carriers mailer)
declare -A pid

start() { # SERVICE
    local name=$1 rules=()
    # Every fourth card is declined, every eighth answer comes late, some stock is refused.
    [ "$name" != payments ] || rules=(--decline 'payment.authorise/o*[048]' --late 'payment.authorise/o*7=6s')
    [ "$name" != stock ] || rules=(--decline 'stock.reserve/o*5' --twice 'o*1')
    "$programs/$name" --log "$log" --state "$folder" --identity "$name-1" "${rules[@]}" >>"$folder/$name.log" 2>&1 &
    pid[$name]=$!
}

# shellcheck disable=SC2317 # it is called: by the trap
finish() {
    local code=$? name
    for name in "${!pid[@]}"; do kill -TERM "${pid[$name]}" 2>/dev/null || true; done
    wait
    [ "$code" -eq 0 ] && rm -rf "$folder" || echo "kept: $folder" >&2
    exit "$code"
}
trap finish EXIT

"$troupe" dev --log "$log" --sagas "$saga" >"$folder/engine.log" 2>&1 &
pid[engine]=$!
for name in "${services[@]}"; do start "$name"; done

emit() { # ORDER
    "$troupe" emit --log "$log" --saga "$saga" order.placed --key "$1" --id "placed-$1" --data "{\"orderId\":\"$1\",
        \"total\":10,\"customer\":{\"id\":\"c\"},\"card\":{\"token\":\"t\"},\"ship_to\":{\"country\":\"DE\"},
        \"lines\":[{\"sku\":\"a\",\"qty\":1}]}" >/dev/null
}
for i in $(seq "$count"); do
    until emit "o$i" 2>>"$folder/emit.log"; do
        [ $SECONDS -lt 60 ] || { tail -n 1 "$folder/emit.log" >&2 && exit 1; }
        sleep 0.2
    done
    if [ $((i % 2)) -eq 0 ]; then
        name=${services[RANDOM % 5]}
        kill -KILL "${pid[$name]}"
        wait "${pid[$name]}" 2>/dev/null || true
        start "$name"
    fi
done

phases() { "$troupe" ls --log "$log" --json 2>>"$folder/ls.log" | jq -r '"\(.key) \(.phase)"'; }
over() { [ "$(phases | grep -cE ' (completed|compensated)$')" -eq "$count" ]; }
until=$((SECONDS + 120))
until over; do
    [ $SECONDS -lt $until ] || { echo "error: not all orders ended:" >&2 && phases >&2 && exit 1; }
    name=${services[RANDOM % 5]}
    if [ $SECONDS -lt $((until - 100)) ]; then
        kill -KILL "${pid[$name]}"
        wait "${pid[$name]}" 2>/dev/null || true
        start "$name"
    fi
    sleep 0.5
done
sleep 5 # late answers reopen what has ended
until over; do
    [ $SECONDS -lt $((until + 30)) ] || { echo "error: not all orders ended again:" >&2 && phases >&2 && exit 1; }
    sleep 0.5
done
phases | sort -V >"$folder/phases"

cat "$folder"/*.jsonl | jq --slurp --raw-output --rawfile phases "$folder/phases" '
    ($phases | split("\n") | map(select(. != "") | split(" ") | {(.[0]): .[1]}) | add) as $phase
    | [.[] | select(.act == "do" or .act == "undo")] | group_by(.key)[]
    | {key: .[0].key, order: .[0].order, step: .[0].step, done: (map(select(.act == "do")) | length),
       undone: (map(select(.act == "undo")) | length)}
    | select(.done != 1
             or (.undone > 0 and $phase[.order] == "completed")
             or (.undone != 1 and $phase[.order] == "compensated"
                 and (.step == "payment.authorise" or .step == "stock.reserve"))
             or ($phase[.order] == "compensated" and .step == "payment.capture"))
    | "error: \(.step) of \(.order) (\($phase[.order])): done \(.done) times, undone \(.undone) times"
' >"$folder/errors"
cat "$folder/errors" >&2
[ ! -s "$folder/errors" ] || exit 1
# shellcheck disable=SC2016 # an awk program
awk '{ n[$2]++ } END { for (p in n) printf "%d %s ", n[p], p; print "" }' "$folder/phases"
