# The layers and what is made of them. Sources are found by glob: a new file needs no line here.
include(GNUInstallDirs)

# troupe_layer(NAME [LIBRARY...]): the .c files of folder NAME as static library troupe_NAME.
function(troupe_layer name)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.c)
    if(NOT sources)
        return()
    endif()
    add_library(troupe_${name} STATIC ${sources})
    target_include_directories(troupe_${name} PUBLIC
        ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(troupe_${name} PRIVATE troupe_options PUBLIC ${ARGN})
    # The layers go into libtroupe.so as well; it shows what include/troupe.h shows, and nothing else.
    set_target_properties(troupe_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
    troupe_include_gate(troupe_${name} ${name})
endfunction()

# troupe_command(NAME FOLDER): the program NAME from the .c files of FOLDER, at the root of the build directory. All
# but main.c is a library too (troupe_FOLDER), so that tests can call it.
function(troupe_command name folder)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    set(main ${PROJECT_SOURCE_DIR}/${folder}/main.c)
    set(lower "")
    foreach(layer engine client)
        if(TARGET troupe_${layer})
            list(APPEND lower troupe_${layer})
        endif()
    endforeach()
    if(NOT TARGET troupe_engine OR NOT EXISTS ${main})
        message(WARNING "no program ${name} yet: it needs engine/ and ${folder}/main.c")
        return()
    endif()
    add_executable(${name} ${main})
    if(sources)
        add_library(troupe_${folder} STATIC ${sources})
        target_include_directories(troupe_${folder} PUBLIC
            ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
        target_compile_definitions(troupe_${folder} PRIVATE TROUPE_VERSION="${PROJECT_VERSION}")
        target_link_libraries(troupe_${folder} PRIVATE troupe_options PUBLIC ${lower})
        troupe_include_gate(troupe_${folder} ${folder})
        target_link_libraries(${name} PRIVATE troupe_${folder})
    endif()
    target_compile_definitions(${name} PRIVATE TROUPE_VERSION="${PROJECT_VERSION}")
    target_link_libraries(${name} PRIVATE troupe_options ${lower})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# What a service in C links: libtroupe.so, or libtroupe.a of all that the client stands on; header and .pc file.
function(troupe_public_library)
    if(NOT TARGET troupe_client)
        return()
    endif()
    set(objects "")
    set(libraries Threads::Threads)
    foreach(layer base saga schemas connectors client)
        if(TARGET troupe_${layer})
            list(APPEND objects $<TARGET_OBJECTS:troupe_${layer}>)
        endif()
    endforeach()
    foreach(library FYAML JANSSON RDKAFKA SQLITE AVRO)
        list(APPEND libraries PkgConfig::${library})
    endforeach()
    add_library(troupe_public STATIC ${objects})
    add_library(troupe_shared SHARED ${objects})
    set_target_properties(troupe_public troupe_shared PROPERTIES OUTPUT_NAME troupe LINKER_LANGUAGE C)
    set_target_properties(troupe_shared PROPERTIES
        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
    target_link_libraries(troupe_shared PRIVATE troupe_options ${libraries})
    if(NOT TROUPE_SANITIZE)
        target_link_options(troupe_shared PRIVATE LINKER:--no-undefined)
    endif()
    target_include_directories(troupe_shared INTERFACE
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_include_directories(troupe_public INTERFACE
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(troupe_public INTERFACE ${libraries})
    # The .pc file finds itself, so that the library can be installed anywhere (cmake --install --prefix).
    file(RELATIVE_PATH TROUPE_PREFIX_FROM_PC /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/troupe.pc.in troupe.pc @ONLY)
    install(TARGETS troupe_public troupe_shared
            ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
            FILES_MATCHING PATTERN "*.h")
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/troupe.pc
            DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
