#!/usr/bin/env bash
# `troupe schema check`: verdicts, reasons with their place, modes, and schemas that are none.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

record() { # NAME FIELD...
    local name=$1
    shift
    (IFS=, && printf '{"type":"record","name":"Order","fields":[%s]}\n' "$*") >"$work/$name.avsc"
}
id='{"name":"id","type":"string"}'
record v1 "$id"
record v2 "$id" '{"name":"sum","type":"long","default":0}'
record v3 "$id" '{"name":"sum","type":"long"}'
record v4 "$id" '{"name":"sum","type":"string","default":""}'

run schema check --reader v2.avsc --writer v1.avsc
expect_code 0
expect_out "compatible (BACKWARD)"
run schema check --reader v3.avsc --writer v1.avsc
expect_code 1
expect_out 'v3.avsc#/fields/1: field "sum" of record "Order" is not written and has no default'
expect_out "reader_field_missing_default_value; written by v1.avsc"
expect_out "not compatible (BACKWARD)"
run schema check --reader v3.avsc --writer v1.avsc --writer v2.avsc
expect_code 0
run schema check --reader v3.avsc --writer v1.avsc --writer v2.avsc --mode BACKWARD_TRANSITIVE
expect_code 1
run schema check --reader v1.avsc --writer v3.avsc --mode FORWARD
expect_code 1
expect_out "v3.avsc#/fields/1: "
expect_out "written by v1.avsc"

run schema check --reader v4.avsc --writer v2.avsc --json
expect_code 1
[ "$(head -n 1 "$work/out" | jq -c '[.kind, .path, .reader, .writer]')" = \
    '["type_mismatch","/fields/1/type","v4.avsc","v2.avsc"]' ] || fail "another reason"
[ "$(tail -n 1 "$work/out" | jq -c '[.compatible, .mode, .reasons, .more]')" = \
    '[false,"BACKWARD",1,false]' ] || fail "another verdict"

run schema check --reader v1.avsc --writer none.avsc
expect_code 4
expect_err "cannot read none.avsc"
echo '["int", "sting"]' >bad.avsc
run schema check --reader bad.avsc --writer v1.avsc
expect_code 4
expect_err 'bad.avsc:1:9: unknown type "sting"'
expect_err 'did you mean "string"?'
run schema check --reader v1.avsc
expect_code 2
run schema frobnicate --reader v1.avsc --writer v1.avsc
expect_code 2
run schema check --reader v1.avsc --writer v1.avsc --mode SIDEWAYS
expect_code 2
