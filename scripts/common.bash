# What the scripts share. Sourced, not run: `. "$(dirname "$0")/common.bash"`.
set -euo pipefail

# Not exported: to troupe itself every TROUPE_* of the environment is configuration.
# shellcheck disable=SC2034 # those who source this use it
TROUPE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

# die MESSAGE [HINT]: one line of what is wrong, one of what to do about it.
die() {
    say "error: $1"
    [ $# -lt 2 ] || say "hint: $2"
    exit 1
}

# step TEXT: a heading in long outputs.
step() { printf '\n== %s\n' "$*" >&2; }

# version_at_least HAVE WANT
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# The first x.y[.z] in what a program prints of its version; nothing where there is no such program.
version_of() {
    command -v "$1" >/dev/null 2>&1 || return 0
    "$1" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -n 1 || true
}

# cmake_build PRESET [TARGET...]: configures and builds. Quiet where nothing goes wrong.
cmake_build() {
    local preset=$1 targets=()
    shift
    [ $# -eq 0 ] || targets=(--target "$@")
    local log="$TROUPE_ROOT/build/$preset.configure.log"
    mkdir -p "$TROUPE_ROOT/build"
    if ! (cd "$TROUPE_ROOT" && cmake --preset "$preset") >"$log" 2>&1; then
        cat "$log" >&2
        die "cmake could not configure preset \"$preset\"" \
            "scripts/setup installs what is missing; a build directory of other times: rm -r build/$preset"
    fi
    (cd "$TROUPE_ROOT" && cmake --build --preset "$preset" "${targets[@]}") >&2
}
