#!/usr/bin/env bash
# docs/rules.md against the tree: every rule in scope has its line; the stories and tests that a line names exist and a
# story cites its rule; every function is still called so. Prints what is wrong.
set -uo pipefail
root=${1:?usage: check_rules.sh ROOT}
page=$root/docs/rules.md
wrong=0

complain() {
    echo "rules.md: $*"
    wrong=1
}

for rule in $(seq 1 31) $(seq 37 49) 45a 45b 58 59 60 61 65 66 67 68 69 70 73 F; do
    grep -q "^| $rule |" "$page" || complain "rule $rule has no line"
done

rows=$(mktemp) || exit 2
trap 'rm -f "$rows"' EXIT
sed -n 's/^| \([0-9F][0-9ab]*\) | [^|]* | \([^|]*\) | \([^|]*\) |$/\1|\2|\3/p' "$page" >"$rows"
while IFS='|' read -r rule code shown; do
    cited=no
    for function in $(printf '%s' "$code" | tr -d '`,'); do
        grep -qE "(^|[ *])$function\(" "$root"/saga/*.c "$root"/cli/play*.c ||
            complain "rule $rule: no function is called $function"
    done
    for name in $(printf '%s' "$shown" | sed -n 's/.*story: \([^;]*\).*/\1/p' | tr -d ','); do
        story=$root/tests/golden/$name.txt
        [ -f "$story" ] || complain "rule $rule: there is no story $name"
        [ -f "$story" ] && grep '^#' "$story" | grep -qE "[(,; ]$rule([,;:) .]|\$)" && cited=yes
    done
    for name in $(printf '%s' "$shown" | sed -n 's/.*test: \([^;]*\).*/\1/p' | tr -d ','); do
        if [ -f "$root/tests/$name" ]; then cited=yes; else complain "rule $rule: there is no $name"; fi
    done
    [ "$cited" = yes ] || complain "rule $rule: none of its stories cites it"
done <"$rows"
[ "$wrong" -eq 0 ] && echo "$(wc -l <"$rows") rules, each with its code and what shows it"
exit "$wrong"
