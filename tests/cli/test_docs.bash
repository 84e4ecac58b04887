#!/usr/bin/env bash
# docs/cli.md has every command's help as the program prints it, and names every field of its JSON. The configuration's
# keys stand in docs/configuration.md, so the help of run and dev is compared without them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

document=$here/../../docs/cli.md
made=$work/cli.md

help_of() { # COMMAND
    echo '```'
    "$troupe" "$1" --help | awk '
        /^configuration: / { print "every key of configuration.md is an option, too"; skipping = 1; next }
        /^examples$/ { if (skipping) print ""; skipping = 0 }
        !skipping'
    echo '```'
}

commands=()
while IFS= read -r line; do
    case $line in
    '<!-- help '*)
        command=${line#<!-- help }
        command=${command% -->}
        commands+=("$command")
        echo "$line"
        help_of "$command"
        while IFS= read -r line && [ "$line" != '<!-- end -->' ]; do :; done
        echo "$line"
        ;;
    *) echo "$line" ;;
    esac
done <"$document" >"$made"

last="--help of all"
: >"$work/out"
: >"$work/err"
if [ "$rewrite" = --rewrite ]; then
    cp "$made" "$document"
fi
checks=$((checks + 1))
diff -u "$document" "$made" >&2 || fail "docs/cli.md is not what --help says"

# Each command of the program has its part.
while read -r command; do
    checks=$((checks + 1))
    grep -qx "## $command" "$document" || fail "docs/cli.md says nothing of $command"
done < <("$troupe" help | sed -n '/^commands$/,/^exit codes$/s/^  \([a-z]*\) .*/\1/p' | grep -v '^help$')

# Each field that is written is named.
engine_start "$saga"
feed o1 order.placed
engine_stop
for arguments in "ls" "show o1 --data" "replay o1" "tail --from beginning --no-follow" "verify" "version" "deploy $saga"; do
    case $arguments in
    version) "$troupe" version --json >"$work/fields" ;;
    *) # shellcheck disable=SC2086 # words on purpose
        "$troupe" $arguments --json --log "$log" >"$work/fields" ;;
    esac
    while read -r field; do
        checks=$((checks + 1))
        grep -q "\`$field\`" "$document" || fail "docs/cli.md does not name \"$field\" of $arguments"
    done < <(jq -r 'keys[]' "$work/fields" | sort -u)
done
