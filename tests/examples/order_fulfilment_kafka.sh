#!/usr/bin/env bash
# The demo on a real broker.
#   order_fulfilment_kafka.sh TROUPE
set -euo pipefail
[ -n "${KAFKA_BOOTSTRAP:-}" ] || { echo "skipped: KAFKA_BOOTSTRAP names no broker" && exit 77; }
"$(dirname "$0")/../../examples/order-fulfilment/run-demo" --troupe "$1" --log "kafka://$KAFKA_BOOTSTRAP"
