#!/usr/bin/env bash
# Help, unknown commands and options, and that every option named in a command's help is accepted.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

run
expect_code 2
expect_err "usage: troupe COMMAND"
run help
expect_code 0
expect_out "exit codes"
cp "$work/out" "$work/commands"
run --help
expect_code 0
expect_out "commands"
run shwo
expect_code 2
expect_err 'did you mean "show"?'
run help shwo
expect_code 2
expect_err 'did you mean "show"?'
run frobnicate-all
expect_code 2
expect_err 'unknown command "frobnicate-all"'

mapfile -t commands < <(sed -n '/^commands$/,/^exit codes$/s/^  \([a-z]*\) .*/\1/p' "$work/commands" | grep -v '^help$')
[ "${#commands[@]}" -ge 17 ] || { echo "only ${#commands[@]} commands in the help" >&2 && exit 1; }

# VALUE for an option's argument as the help names it.
value_of() {
    case $1 in
    AGE | TIME) echo 5m ;;
    N | SEQ) echo 5 ;;
    PHASE*) echo running ;;
    BYTES) echo 4096 ;;
    NAME=VALUE) echo a=b ;;
    URL) echo local:./x ;;
    *) echo x ;;
    esac
}

for command in "${commands[@]}"; do
    run "$command" --help
    expect_code 0
    expect_no_err
    expect_out "usage: troupe $command"
    expect_out "examples"
    cp "$work/out" "$work/help"
    run help "$command"
    expect_code 0
    cmp -s "$work/help" "$work/out" || fail "help $command is not $command --help"
    run "$command" -h
    expect_code 0

    # The options of the command's own part, each given once, then --help: it is only reached when all were taken.
    options=0
    while read -r option argument; do
        options=$((options + 1))
        case $argument in
        '') run "$command" "$option" --help ;;
        '(true') run "$command" "$option" --help ;;
        '(text,'* | '(list,'* | '(number,'* | '(choice,'*) run "$command" "$option" x --help ;;
        [a-z]*) run "$command" "$option" --help ;;
        *) run "$command" "$option" "$(value_of "$argument")" --help ;;
        esac
        expect_code 0
        expect_no_err
    done < <(sed -n '/^examples$/q; s/^  \(--[a-z._-]*\)\(KEY\)\{0,1\} \{0,1\}\([^ ]*\).*/\1\2 \3/p' "$work/help")
    [ $options -ge 2 ] || fail "$command has $options options in its help"

    run "$command" --josn
    expect_code 2
    expect_err 'unknown option "--josn"'
    expect_err "see: troupe $command --help"
    run "$command" -x
    expect_code 2
done

run ls --josn
expect_err 'did you mean "--json"?'
run ls --lgo local:./x
expect_err 'did you mean "--log"?'
run ls --older-than 5
expect_code 2
expect_err '"5" is no duration'
run ls --older-than
expect_code 2
expect_err "--older-than needs a value"
run ls --json=yes
expect_code 2
expect_err "--json takes no value"
run replay k --until x
expect_code 2
expect_err '"x" is not a whole number'
run ls --partitions 3
expect_code 2
run run --batch-max 0
expect_code 2
expect_err "batch_max"
run run --log-levl info
expect_code 2
run show
expect_code 2
expect_err "name a key"
run show a b
expect_code 2
run tail --from yesterday
expect_code 2
expect_err "neither beginning"
run ls --phase complete
expect_code 2
expect_err 'did you mean "completed"?'
run version
expect_code 0
expect_out "librdkafka"
run --version
expect_code 0
run version --json
expect_json '.[0].formats.journal | length == 16'

# Configuration: file, environment, options; later ones win.
printf 'log: local:%s/from-file\nbatch_maxx: 3\n' "$work" >"$work/bad.yaml"
run ls --config "$work/bad.yaml"
expect_code 4
expect_err 'did you mean "batch_max"?'
expect_err "bad.yaml:2"
run ls --config "$work/none.yaml"
expect_code 4
printf 'log: local:%s/from-file\n' "$work" >"$work/good.yaml"
run ls --config "$work/good.yaml"
expect_code 3
expect_err "from-file"
TROUPE_LOG=local:$work/from-environment run ls --config "$work/good.yaml"
expect_err "from-environment"
TROUPE_LOG=local:$work/from-environment run ls --config "$work/good.yaml" --log "local:$work/from-option"
expect_err "from-option"
TROUPE_LGO=x run ls
expect_code 2
TROUPE_CONFIG=$work/good.yaml run ls
expect_err "from-file"
