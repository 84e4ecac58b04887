#!/usr/bin/env bash
# Pure choreography: with the engine stopped a signup goes through; the engine comes back and knows.
#   signup.sh TROUPE
set -euo pipefail
"$(dirname "$0")/../../examples/signup/run-offline" --troupe "$1"
