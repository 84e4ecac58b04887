#!/usr/bin/env bash
# The demo, on the embedded log: three orders end as they should, within a minute.
#   order_fulfilment.sh TROUPE
set -euo pipefail
start=$SECONDS
"$(dirname "$0")/../../examples/order-fulfilment/run-demo" --troupe "$1"
[ $((SECONDS - start)) -lt 60 ] || { echo "error: the demo took $((SECONDS - start)) s" >&2 && exit 1; }
