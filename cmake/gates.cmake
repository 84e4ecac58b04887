# Gates: rules that stop the build when they are broken. The same rules stand as tests too (tests/CMakeLists.txt).

# troupe_include_gate(TARGET FOLDER): TARGET is not built while a file of FOLDER includes what lies above it.
function(troupe_include_gate target folder)
    if(NOT EXISTS ${PROJECT_SOURCE_DIR}/tools/tidy.c)
        return()
    endif()
    file(GLOB files CONFIGURE_DEPENDS
         ${PROJECT_SOURCE_DIR}/${folder}/*.c ${PROJECT_SOURCE_DIR}/${folder}/*.h)
    set(stamp ${CMAKE_BINARY_DIR}/gates/includes.${folder})
    add_custom_command(
        OUTPUT ${stamp}
        COMMAND troupe_tidy --only includes --root ${PROJECT_SOURCE_DIR} ${folder}
        COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
        DEPENDS troupe_tidy ${files}
        COMMENT "Checking that the includes of ${folder}/ point down"
        VERBATIM)
    add_custom_target(${target}_includes DEPENDS ${stamp})
    add_dependencies(${target} ${target}_includes)
endfunction()

# troupe_purity_gate(TARGET LOWER): TARGET's archive asks for nothing but what LOWER's defines and tools/purity allows.
function(troupe_purity_gate target lower)
    if(NOT TARGET ${target})
        return()
    endif()
    set(mode plain)
    if(TROUPE_INSTRUMENTED)
        set(mode instrumented)
    endif()
    set_property(GLOBAL PROPERTY TROUPE_PURITY_COMMAND
        ${PROJECT_SOURCE_DIR}/tools/purity ${mode} $<TARGET_FILE:${target}> $<TARGET_FILE:${lower}>)
    get_property(command GLOBAL PROPERTY TROUPE_PURITY_COMMAND)
    if(TROUPE_LTO)
        return() # an archive of an LTO build holds no symbols of the code as it will be
    endif()
    add_custom_command(TARGET ${target} POST_BUILD COMMAND ${command} VERBATIM)
endfunction()
