# What every target is compiled with. Targets only, no global flags (docs/style.md, 32).
option(TROUPE_CORE_ONLY "Build base/ and saga/ alone" OFF)
option(TROUPE_COVERAGE "Count lines and branches (gcov)" OFF)
option(TROUPE_FUZZ "Link the targets of tests/fuzz with libFuzzer (clang)" OFF)
option(TROUPE_CLANG_TIDY "Run clang-tidy beside the compiler" OFF)
option(TROUPE_LTO "Link-time optimisation" OFF)
option(TROUPE_CCACHE "Compile through ccache where there is one" ON)
set(TROUPE_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread or memory")

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)

# The code that is not as it ships: gates that look at object files leave it alone.
set(TROUPE_INSTRUMENTED OFF)
if(TROUPE_SANITIZE OR TROUPE_COVERAGE)
    set(TROUPE_INSTRUMENTED ON)
endif()

add_library(troupe_options INTERFACE)
target_compile_features(troupe_options INTERFACE c_std_11)
target_compile_definitions(troupe_options INTERFACE _GNU_SOURCE)
# A program names the libraries that it uses, whichever compiler links it: docker/ installs these and no others.
target_link_options(troupe_options INTERFACE LINKER:--as-needed)
target_compile_options(troupe_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wswitch-enum -Wvla -Wformat=2 -Wundef -Wcast-qual -Wwrite-strings -Werror
    -fstack-protector-strong -fno-common -fno-omit-frame-pointer
    # Paths in messages and debug data are the repository's, so a build is the same wherever it is made.
    -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)

if(TROUPE_SANITIZE)
    set(sanitize -fsanitize=${TROUPE_SANITIZE} -fno-sanitize-recover=all)
    if(TROUPE_FUZZ)
        list(APPEND sanitize -fsanitize=fuzzer-no-link)
    endif()
    if(TROUPE_SANITIZE MATCHES memory)
        list(APPEND sanitize -fsanitize-memory-track-origins)
    endif()
    target_compile_options(troupe_options INTERFACE ${sanitize})
    target_link_options(troupe_options INTERFACE ${sanitize})
endif()

if(TROUPE_COVERAGE)
    target_compile_options(troupe_options INTERFACE --coverage)
    target_link_options(troupe_options INTERFACE --coverage)
endif()

if(TROUPE_LTO)
    include(CheckIPOSupported)
    check_ipo_supported(LANGUAGES C)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()

if(TROUPE_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    find_program(TROUPE_CCACHE_PROGRAM ccache)
    if(TROUPE_CCACHE_PROGRAM)
        set(CMAKE_C_COMPILER_LAUNCHER ${TROUPE_CCACHE_PROGRAM})
    endif()
endif()

if(TROUPE_CLANG_TIDY)
    find_program(TROUPE_CLANG_TIDY_PROGRAM clang-tidy REQUIRED)
    set(CMAKE_C_CLANG_TIDY ${TROUPE_CLANG_TIDY_PROGRAM} --quiet --warnings-as-errors=*)
endif()
