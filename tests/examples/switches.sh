#!/usr/bin/env bash
# Each way in which the example services can misbehave, and how its order ends all the same.
#   switches.sh TROUPE
set -euo pipefail
troupe=$1
[ -x "$troupe" ] || { echo "error: no program \"$troupe\"" >&2 && exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
saga=$root/examples/order-fulfilment/order-fulfilment.saga.yaml
programs=$(dirname "$troupe")/examples/order-fulfilment
folder=$(mktemp -d)
mkdir "$folder/log"
log=local:$folder/log
pids=()

# shellcheck disable=SC2317 # it is called: by the trap
finish() {
    local code=$? pid
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    wait
    if [ "$code" -eq 0 ]; then rm -rf "$folder"; else echo "kept: $folder" >&2; fi
    exit "$code"
}
trap finish EXIT

"$troupe" dev --log "$log" --sagas "$saga" >"$folder/engine.log" 2>&1 &
pids+=($!)
start() { # SERVICE SWITCH...
    local name=$1
    shift
    "$programs/$name" --log "$log" --state "$folder" "$@" >"$folder/$name.log" 2>&1 &
    pids+=($!)
}
start fraud --silent 'late_ask=1' --decline blocked
start payments --decline 'declined,payment.capture/no_capture' --twice twice \
    --delay 'payment.authorise/slow=1s,payment.authorise/too_slow=7s' --fail 'payment.authorise/faulty=2'
start stock --undo-silent 'stock.release/declined=1' --twice twice
start carriers --silent 'shipment.book/lost=1' --twice twice
start mailer --silent unmailed --twice twice

# order, how it ends, lines of the ledgers that must be there, and how often: LEDGER ACT STEP COUNT
expected='
fine       completed
late_ask   completed    fraud     do     fraud.check        1
blocked    compensated  fraud     refuse fraud.check        1
declined   compensated  stock     undo   stock.reserve      1
no_capture compensated  payments  undo   payment.authorise  1
slow       completed    payments  do     payment.authorise  1
too_slow   compensated  payments  do     payment.authorise  0
too_slow   compensated  payments  bar    payment.authorise  1
faulty     completed    payments  do     payment.authorise  1
lost       completed    carriers  do     shipment.book      1
twice      completed    payments  do     payment.capture    1
twice      completed    mailer    do     receipt            1
unmailed   completed    mailer    do     receipt            0'
mapfile -t orders < <(awk 'NF { print $1 }' <<<"$expected" | sort -u)

emit() { # ORDER
    "$troupe" emit --log "$log" --saga "$saga" order.placed --key "$1" --data "{\"orderId\":\"$1\",\"total\":10,
        \"customer\":{\"id\":\"c\"},\"card\":{\"token\":\"t\"},\"ship_to\":{\"country\":\"DE\"},
        \"lines\":[{\"sku\":\"a\",\"qty\":1}]}" >/dev/null
}
for order in "${orders[@]}"; do
    until emit "$order" 2>>"$folder/emit.log"; do
        [ $SECONDS -lt 30 ] || { tail -n 1 "$folder/emit.log" >&2 && exit 1; }
        sleep 0.2
    done
done

phases() { "$troupe" ls --log "$log" --json | jq -r '"\(.key) \(.phase)"' | sort; }
wanted=$(awk 'NF { print $1, $2 }' <<<"$expected" | sort -u)
until [ "$(phases)" = "$wanted" ] && [ $SECONDS -ge 10 ]; do # the slowest answer comes after 7 s
    if [ $SECONDS -ge 90 ]; then
        echo "error: orders ended otherwise:" >&2
        diff <(phases) <(echo "$wanted") >&2 || exit 1
    fi
    sleep 0.3
done

failed=0
while read -r order _ ledger act step count; do
    [ -n "${ledger:-}" ] || continue
    found=$(grep -c "\"act\":\"$act\".*\"order\":\"$order\",\"step\":\"$step\"" "$folder/$ledger.jsonl" || true)
    [ "$found" = "$count" ] || { echo "error: $order: $found times $act $step, not $count" >&2 && failed=1; }
done <<<"$expected"
[ $failed -eq 0 ] || exit 1
echo "${#orders[@]} orders ended as they should"
