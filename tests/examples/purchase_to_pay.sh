#!/usr/bin/env bash
# troupe follows every purchase-to-pay event, and each figure of its report, case by case, is what an independent count
# of the data gives.
#   purchase_to_pay.sh TROUPE
set -euo pipefail
here=$(cd "$(dirname "$0")/../../examples/purchase-to-pay" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$here/report" --troupe "$1" --json >"$folder/report"
"$here/count" >"$folder/count"
if ! diff "$folder/report" "$folder/count" >"$folder/differences"; then
    echo "error: report (<) and count (>) differ in $(grep -c '^<' "$folder/differences") lines:" >&2
    head -n 20 "$folder/differences" >&2
    exit 1
fi
[ "$(wc -l <"$folder/report")" -eq 570 ] || { echo "error: not 569 cases" >&2 && exit 1; }
head -n 1 "$folder/report" | jq --exit-status '.cases == 569 and .events == 5788
    and .undo_without_effect == {"Record Goods Receipt": 47, "Record Invoice Receipt": 34,
                                 "Record Subsequent Invoice": 49}' >/dev/null ||
    { echo "error: the totals are not those of the data" >&2 && head -n 1 "$folder/report" >&2 && exit 1; }

# The comparison notices: one cancellation more in the data, and the count is another.
{
    cat "$here/subset.events.jsonl"
    echo '{"case": "2000000014_00001", "seq": 999, "ts": "2019-01-18T00:00:00Z", "activity": "Cancel Goods Receipt"}'
} >"$folder/more.jsonl"
"$here/count" "$folder/more.jsonl" >"$folder/count.more"
! cmp --silent "$folder/report" "$folder/count.more" || { echo "error: the comparison is blind" >&2 && exit 1; }
"$here/report" --troupe "$1" --json "$folder/more.jsonl" | cmp - "$folder/count.more"
head -n 1 "$folder/report"
