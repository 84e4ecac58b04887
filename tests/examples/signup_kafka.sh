#!/usr/bin/env bash
# Pure choreography on a real broker.
#   signup_kafka.sh TROUPE
set -euo pipefail
[ -n "${KAFKA_BOOTSTRAP:-}" ] || { echo "skipped: KAFKA_BOOTSTRAP names no broker" && exit 77; }
"$(dirname "$0")/../../examples/signup/run-offline" --troupe "$1" --log "kafka://$KAFKA_BOOTSTRAP"
