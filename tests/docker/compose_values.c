/*
 * Prints every scalar of a YAML file as "/path/to/it=value", one a line; sequence items by their
 * index. For shell tests: a YAML parser is what this project has anyway. Ends with 1 where the file
 * is not YAML or repeats a key.
 */
#include <libfyaml.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32
#define PATH_SIZE 1024

typedef struct frame {
    struct fy_node *node;
    void *iterator;
    size_t path_size;
    int index;
} frame;

/* The next child of the frame's node, its name appended to path; false when there is none. A null
 * value is NULL. */
static bool child_next(frame *at, char path[PATH_SIZE], struct fy_node **child_out)
{
    char name[PATH_SIZE] = "";
    if (fy_node_is_mapping(at->node)) {
        struct fy_node_pair *pair = fy_node_mapping_iterate(at->node, &at->iterator);
        if (pair == NULL) {
            return false;
        }
        size_t size = 0;
        const char *text = fy_node_get_scalar(fy_node_pair_key(pair), &size);
        (void)snprintf(name, sizeof(name), "/%.*s", (int)size, text != NULL ? text : "");
        *child_out = fy_node_pair_value(pair);
    } else {
        *child_out = fy_node_sequence_iterate(at->node, &at->iterator);
        if (*child_out == NULL) {
            return false;
        }
        (void)snprintf(name, sizeof(name), "/%d", at->index++);
    }
    (void)snprintf(path + at->path_size, PATH_SIZE - at->path_size, "%s", name);
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: compose_values FILE\n");
        return 2;
    }
    struct fy_document *document = fy_document_build_from_file(NULL, argv[1]);
    if (document == NULL) {
        return 1;
    }
    frame stack[DEPTH_MAX] = {{.node = fy_document_root(document)}};
    char path[PATH_SIZE] = "";
    int depth = fy_node_is_scalar(stack[0].node) ? -1 : 0;
    int failed = depth < 0;
    while (depth >= 0) {
        struct fy_node *child = NULL;
        if (!child_next(&stack[depth], path, &child)) {
            depth--;
        } else if (child == NULL || fy_node_is_scalar(child)) {
            size_t size = 0;
            const char *text = child != NULL ? fy_node_get_scalar(child, &size) : NULL;
            (void)printf("%s=%.*s\n", path, (int)size, text != NULL ? text : "");
        } else if (depth + 1 < DEPTH_MAX) {
            depth++;
            stack[depth] = (frame){.node = child, .path_size = strlen(path)};
        } else {
            failed = 1;
            break;
        }
    }
    fy_document_destroy(document);
    return failed;
}
