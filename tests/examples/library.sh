#!/usr/bin/env bash
# libtroupe as a service meets it: installed, found by pkg-config, and showing troupe_* and nothing else.
#   library.sh BUILD_DIR COMPILER
set -euo pipefail
build=$1 compiler=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

shared=$build/libtroupe.so
shown=$(nm --dynamic --defined-only --format=posix "$shared" | awk '{ print $1 }' | grep -v '^_' | sort)
declared=$(sed -n '/^TROUPE_API/,/;/p' "$(dirname "$0")/../../include/troupe.h" |
    grep -oE '\btroupe_[a-z_]+\(' | tr -d '(' | sort -u)
if [ "$shown" != "$declared" ]; then
    echo "error: the header declares other symbols than the library shows:" >&2
    diff <(echo "$declared") <(echo "$shown") >&2 || true
    exit 1
fi

cmake --install "$build" --prefix "$folder" >"$folder/install.log" 2>&1 || { cat "$folder/install.log" >&2 && exit 1; }
PKG_CONFIG_PATH=$(dirname "$(find "$folder" -name troupe.pc)")
export PKG_CONFIG_PATH
cat >"$folder/service.c" <<'TEXT'
#include <stdio.h>
#include <troupe.h>

static troupe_verdict on_ask(troupe_context *context, const troupe_event *event, void *user)
{
    (void)event;
    *(int *)user += 1;
    return troupe_answer(context, "done", "{}", NULL) == TROUPE_OK ? TROUPE_HANDLED : TROUPE_RETRY;
}

int main(void)
{
    troupe *handle = NULL;
    troupe_error error = {0};
    int calls = 0;
    if (troupe_open("memory:installed", &(troupe_options){.service = "s"}, &handle, &error) != TROUPE_OK ||
        troupe_on_event(handle, "s.events", "begun", on_ask, &calls, &error) != TROUPE_OK ||
        troupe_emit(handle, &(troupe_message){.type = "begun", .key = "k"}, 5000, &error) != TROUPE_OK)
        return fprintf(stderr, "%s\n", error.text), 1;
    for (int i = 0; i < 50 && calls == 0; i++)
        if (troupe_poll(handle, 100, NULL, &error) != TROUPE_OK)
            return fprintf(stderr, "%s\n", error.text), 1;
    troupe_close(handle);
    return calls == 1 && troupe_version() == TROUPE_VERSION ? 0 : 1;
}
TEXT
flags=${CFLAGS:-}
# A library that was built with a sanitizer wants the program to be, too. (No `nm | grep -q`: with pipefail nm's end by
# SIGPIPE would count as "no".)
wanted=$(nm --dynamic --undefined-only "$shared")
if [[ $wanted == *__asan_* ]]; then flags+=' -fsanitize=address'; fi
if [[ $wanted == *__tsan_* ]]; then flags+=' -fsanitize=thread'; fi
if [[ $wanted == *__ubsan_* ]]; then flags+=' -fsanitize=undefined'; fi
# shellcheck disable=SC2046,SC2086 # lists of flags
"$compiler" -std=c11 -Wall -Wextra -Wpedantic -Werror $flags "$folder/service.c" -o "$folder/shared" \
    $(pkg-config --cflags --libs troupe)
LD_LIBRARY_PATH=$(dirname "$(find "$folder" -name libtroupe.so)") "$folder/shared"
# shellcheck disable=SC2046,SC2086
"$compiler" -std=c11 $flags "$folder/service.c" -o "$folder/static" $(pkg-config --cflags troupe) \
    "$(find "$folder" -name libtroupe.a)" $(pkg-config --libs-only-l rdkafka sqlite3 libfyaml jansson avro-c) -pthread
"$folder/static"
echo "shared and static: a service runs"
