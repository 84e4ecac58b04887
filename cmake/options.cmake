# What every target is compiled with. Targets only, no global flags (docs/style.md, 32).
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_library(troupe_options INTERFACE)
target_compile_features(troupe_options INTERFACE c_std_11)
target_compile_definitions(troupe_options INTERFACE _GNU_SOURCE)
target_compile_options(troupe_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Wvla
    -Wformat=2 -Wundef -Wcast-qual -Wwrite-strings -Werror -fstack-protector-strong -fno-common)
