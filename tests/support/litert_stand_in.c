/* A stand-in for libLiteRt.so with the calls of litert.h: one input [1,4,4,3], outputs [1,6,4] float32, [1,3,6] int8 and
 * [1] float32. Output element k of a run is the sum of the input's bytes, plus k. Variables say how it behaves:
 *
 *     STAND_IN_COMPILE_MS   so long takes compilation
 *     STAND_IN_RUN_MS       so long takes a run; a GPU's goes on behind the call, and locking an output waits for it
 *     STAND_IN_GPU          buffers are a GPU's: not host memory
 *     STAND_IN_SKIPS        a run writes nothing to its first output
 *     STAND_IN_RESIZES      a run gives its first output another size
 *     STAND_IN_TELLS        a run says on standard error what it was given: the sum of the input's bytes
 *     STAND_IN_REFUSES      a call, such as `RunCompiledModel`, that gives status 3
 *
 * -DOLDER leaves out what 2.3 brought, -DNEWER adds what 2.4 did, -DLACKING leaves out one function. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CALL __attribute__((visibility("default"))) int
#define CHECK(name) if (getenv("STAND_IN_REFUSES") && strcmp(getenv("STAND_IN_REFUSES"), name) == 0) return 3

struct layout { uint32_t rank; int32_t dims[8]; uint32_t strides[8]; };
struct type { int element; struct layout layout; };
struct tensor { const char *name; struct type type; size_t bytes; };
struct buffer { struct tensor *tensor; unsigned char *data; };

static struct tensor input = {"image", {3, {4, {1, 4, 4, 3}, {0}}}, 48};
static struct tensor outputs[3] = {
    {"boxes", {1, {3, {1, 6, 4}, {0}}}, 96}, {"scores", {9, {3, {1, 3, 6}, {0}}}, 18}, {"count", {1, {1, {1}, {0}}}, 4}};
static int64_t ready_ns;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}
static void wait_until(int64_t when) {
    while (now() < when) {}
}
static int64_t setting(const char *name) { return getenv(name) ? atol(getenv(name)) * 1000000 : 0; }

CALL LiteRtCreateEnvironment(int n, const void *options, void **to) { (void)n; (void)options; CHECK("CreateEnvironment"); *to = &input; return 0; }
CALL LiteRtCreateModelFromFile(void *e, const char *path, void **to) { (void)e; (void)path; CHECK("CreateModelFromFile"); *to = &input; return 0; }
CALL LiteRtCreateOptions(void **to) { *to = &input; return 0; }
CALL LiteRtSetOptionsHardwareAccelerators(void *o, int set) { (void)o; (void)set; return 0; }
CALL LiteRtCreateOpaqueOptions(const char *i, void *text, void (*end)(void *), void **to) {
    fprintf(stderr, "options %s: %s", i, (char *)text);
    (void)end;
    *to = text;
    return 0;
}
CALL LiteRtAddOpaqueOptions(void *o, void *more) { (void)o; (void)more; return 0; }
CALL LiteRtCreateCompiledModel(void *e, void *m, void *o, void **to) {
    (void)e; (void)m; (void)o;
    CHECK("CreateCompiledModel");
    puts("a library that prints");
    fflush(stdout);
    wait_until(now() + setting("STAND_IN_COMPILE_MS"));
    *to = &input;
    return 0;
}
CALL LiteRtGetModelSignature(void *m, size_t k, void **to) { (void)m; (void)k; *to = &input; return 0; }
CALL LiteRtGetSignatureKey(void *s, const char **to) { (void)s; *to = "a\nkey"; return 0; }
CALL LiteRtGetNumSignatureInputs(void *s, size_t *to) { (void)s; *to = 1; return 0; }
CALL LiteRtGetNumSignatureOutputs(void *s, size_t *to) { (void)s; *to = 3; return 0; }
CALL LiteRtGetSignatureInputTensorByIndex(void *s, size_t k, void **to) { (void)s; (void)k; *to = &input; return 0; }
CALL LiteRtGetSignatureOutputTensorByIndex(void *s, size_t k, void **to) { (void)s; *to = &outputs[k]; return 0; }
CALL LiteRtGetTensorName(void *t, const char **to) { *to = ((struct tensor *)t)->name; return 0; }
CALL LiteRtGetTensorIndex(void *t, uint32_t *to) { *to = t == &input ? 0 : 10 + (uint32_t)((struct tensor *)t - outputs); return 0; }
CALL LiteRtGetRankedTensorType(void *t, struct type *to) { *to = ((struct tensor *)t)->type; return 0; }
CALL LiteRtGetQuantizationTypeId(void *t, int *to) { *to = t == &outputs[1]; return 0; }
CALL LiteRtGetPerTensorQuantization(void *t, void *to) { (void)t; *(float *)to = 0.1f; ((int64_t *)to)[1] = -128; return 0; }
CALL LiteRtGetMainModelSubgraphIndex(void *m, size_t *to) { (void)m; *to = 0; return 0; }
CALL LiteRtGetModelSubgraph(void *m, size_t k, void **to) { (void)k; *to = m; return 0; }
CALL LiteRtGetNumSubgraphOps(void *g, size_t *to) { (void)g; *to = 7; return 0; }
CALL LiteRtGetCompiledModelInputTensorLayout(void *c, size_t s, size_t k, struct layout *to) { (void)c; (void)s; (void)k; *to = input.type.layout; return 0; }
CALL LiteRtGetCompiledModelOutputTensorLayouts(void *c, size_t s, size_t n, struct layout *to, bool update) {
    (void)c; (void)s; (void)update;
    for (size_t k = 0; k < n; k++) to[k] = outputs[k].type.layout;
    return 0;
}
CALL LiteRtGetCompiledModelInputBufferRequirements(void *c, size_t s, size_t k, void **to) { (void)c; (void)s; (void)k; *to = &input; return 0; }
CALL LiteRtGetCompiledModelOutputBufferRequirements(void *c, size_t s, size_t k, void **to) { (void)c; (void)s; *to = &outputs[k]; return 0; }
CALL LiteRtCreateManagedTensorBufferFromRequirements(void *e, const void *t, void *needs, void **to) {
    struct buffer *made = calloc(1, sizeof *made);
    (void)e; (void)t;
    made->tensor = needs;
    made->data = calloc(1, made->tensor->bytes);
    *to = made;
    return 0;
}
CALL LiteRtGetTensorBufferType(void *b, int *to) { (void)b; *to = getenv("STAND_IN_GPU") ? 10 : 1; return 0; }
CALL LiteRtGetTensorBufferSize(void *b, size_t *to) { *to = ((struct buffer *)b)->tensor->bytes; return 0; }
CALL LiteRtGetTensorBufferHostMemory(void *b, void **to) { *to = ((struct buffer *)b)->data; return getenv("STAND_IN_GPU") ? 1 : 0; }
CALL LiteRtLockTensorBuffer(void *b, void **to, int mode) {
    CHECK("LockTensorBuffer");
    if (mode == 0) wait_until(ready_ns);
    *to = ((struct buffer *)b)->data;
    return 0;
}
CALL LiteRtUnlockTensorBuffer(void *b) { (void)b; return 0; }
CALL LiteRtRunCompiledModel(void *c, size_t s, size_t n, void **in, size_t m, void **out) {
    int sum = 0;
    (void)c; (void)s; (void)n;
    CHECK("RunCompiledModel");
    ready_ns = now() + setting("STAND_IN_RUN_MS");
    if (!getenv("STAND_IN_GPU")) wait_until(ready_ns);
    for (size_t k = 0; k < input.bytes; k++) sum += ((struct buffer *)in[0])->data[k];
    if (getenv("STAND_IN_TELLS")) fprintf(stderr, "given %d\n", sum);
    if (getenv("STAND_IN_RESIZES")) outputs[0].type.layout.dims[1] = 5;
    for (size_t b = getenv("STAND_IN_SKIPS") != NULL; b < m; b++) {
        struct buffer *each = out[b];
        for (size_t k = 0; k < each->tensor->bytes / (b == 1 ? 1 : 4); k++) {
            if (b == 1) ((int8_t *)each->data)[k] = (int8_t)(sum + (int)k);
            else ((float *)each->data)[k] = (float)(sum + (int)k);
        }
    }
    return 0;
}
CALL LiteRtCompiledModelIsFullyAccelerated(void *c, bool *to) { (void)c; *to = true; return 0; }
#ifndef OLDER
CALL LiteRtCompiledModelIsNonCpuFullyAccelerated(void *c, bool *to) { (void)c; *to = getenv("STAND_IN_GPU") != NULL; return 0; }
#endif
#ifdef NEWER
CALL LiteRtCompiledModelGetDelegationMetrics(void *c, void *to) { (void)c; (void)to; return 0; }
#endif
CALL LiteRtCompiledModelGetProfiler(void *c, void **to) { *to = c; return 0; }
CALL LiteRtStartProfiler(void *p) { (void)p; return 0; }
CALL LiteRtStopProfiler(void *p) { (void)p; return 0; }
CALL LiteRtGetProfileSummary(void *p, void *c, const char **to) { (void)p; (void)c; *to = "a summary"; return 0; }
CALL LiteRtGetNumAccelerators(void *e, size_t *to) { (void)e; *to = 1; return 0; }
CALL LiteRtGetAccelerator(void *e, size_t k, void **to) { (void)k; *to = e; return 0; }
CALL LiteRtGetAcceleratorName(void *a, const char **to) { (void)a; *to = "Stand In"; return 0; }
CALL LiteRtGetAcceleratorVersion(void *a, int *to) { (void)a; to[0] = 1; return 0; }
#ifndef LACKING
CALL LiteRtGetAcceleratorHardwareSupport(void *a, int *to) { (void)a; *to = 2; return 0; }
#endif
CALL LiteRtGetCompiledModelEnvironment(void *c, void **to) { *to = c; return 0; }
