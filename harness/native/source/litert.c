/* Open LiteRT's library. It says its version nowhere, so it is told by functions that came with one. */
#include "litert.h"
#include "worker.h"

struct litert litert;

/* A version is recognised where the library has its function, the newest first. */
static const struct { const char *version, *function; bool known; } VERSIONS[] = {
    {"2.4 or later", "LiteRtCompiledModelGetDelegationMetrics", false},
    {"2.3", "LiteRtCompiledModelIsNonCpuFullyAccelerated", true},
    {"2.2", "LiteRtGetCompiledModelEnvironment", false},
    {"2.1 or earlier", "LiteRtCreateEnvironment", false},
};

static const char *recognise(void *library, const char *path) {
    for (size_t k = 0; k < sizeof VERSIONS / sizeof *VERSIONS; k++) {
        if (dlsym(library, VERSIONS[k].function) == NULL) continue;
        if (!VERSIONS[k].known)
            fail("version", "%s is LiteRT %s, whose interface is not known here; known: 2.3", path, VERSIONS[k].version);
        return VERSIONS[k].version;
    }
    fail("version", "%s has none of LiteRT's functions", path);
}

static void *find(void *library, const char *name) {
    char full[96];
    snprintf(full, sizeof full, "LiteRt%s", name);
    void *found = dlsym(library, full);
    if (found == NULL) fail("symbol", "the library has no function %s", full);
    return found;
}

const char *open_litert(const char *path) {
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) fail("library", "%s cannot be loaded: %s", path, dlerror());
    const char *version = recognise(library, path);
#define FIND(name, arguments) litert.name = (int(*) arguments)find(library, #name);
    LITERT_CALLS(FIND)
#undef FIND
    return version;
}
