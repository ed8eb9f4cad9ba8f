/* LiteRT's C interface of version 2.3, as far as the worker calls it: litert/c/litert_{environment,model,options,
 * opaque_options,compiled_model,tensor_buffer,profiler,accelerator}.h. Handles are pointers that only LiteRT looks into. */
#ifndef LITERT_H
#define LITERT_H

#include "libc.h"

enum { CPU = 1, GPU = 2, NPU = 4 };                          /* LiteRtHwAccelerators */
enum { TAG_PLUGINS = 0, TAG_DISPATCH = 1, TAG_RUNTIME = 22, TAG_REGISTER = 24 }; /* LiteRtEnvOptionTag */
enum { ANY_INT = 2, ANY_STRING = 8 }; /* LiteRtAnyType */
enum { HOST_MEMORY = 1 };                                     /* LiteRtTensorBufferType */
enum { LOCK_READ = 0, LOCK_WRITE = 1 };                       /* LiteRtTensorBufferLockMode */
enum { PER_TENSOR = 1 };                                      /* LiteRtQuantizationTypeId */

struct any { int type; union { int64_t number; const char *text; } value; };
struct env_option { int tag; struct any value; };
struct layout { uint32_t rank; int32_t dims[8]; uint32_t strides[8]; }; /* the rank in the lower seven bits */
struct tensor_type { int element; struct layout layout; };
struct per_tensor { float scale; int64_t zero_point; };
struct version { int major, minor, patch; };

/* Name, and the types of its arguments. A call gives a status, 0 where all is well. */
#define LITERT_CALLS(CALL) \
    CALL(CreateEnvironment, (int, const struct env_option *, void **)) \
    CALL(CreateModelFromFile, (void *, const char *, void **)) \
    CALL(CreateOptions, (void **)) \
    CALL(SetOptionsHardwareAccelerators, (void *, int)) \
    CALL(CreateOpaqueOptions, (const char *, void *, void (*)(void *), void **)) \
    CALL(AddOpaqueOptions, (void *, void *)) \
    CALL(CreateCompiledModel, (void *, void *, void *, void **)) \
    CALL(GetModelSignature, (void *, size_t, void **)) \
    CALL(GetSignatureKey, (void *, const char **)) \
    CALL(GetNumSignatureInputs, (void *, size_t *)) \
    CALL(GetNumSignatureOutputs, (void *, size_t *)) \
    CALL(GetSignatureInputTensorByIndex, (void *, size_t, void **)) \
    CALL(GetSignatureOutputTensorByIndex, (void *, size_t, void **)) \
    CALL(GetTensorName, (void *, const char **)) \
    CALL(GetTensorIndex, (void *, uint32_t *)) \
    CALL(GetRankedTensorType, (void *, struct tensor_type *)) \
    CALL(GetQuantizationTypeId, (void *, int *)) \
    CALL(GetPerTensorQuantization, (void *, struct per_tensor *)) \
    CALL(GetMainModelSubgraphIndex, (void *, size_t *)) \
    CALL(GetModelSubgraph, (void *, size_t, void **)) \
    CALL(GetNumSubgraphOps, (void *, size_t *)) \
    CALL(GetCompiledModelInputTensorLayout, (void *, size_t, size_t, struct layout *)) \
    CALL(GetCompiledModelOutputTensorLayouts, (void *, size_t, size_t, struct layout *, bool)) \
    CALL(GetCompiledModelInputBufferRequirements, (void *, size_t, size_t, void **)) \
    CALL(GetCompiledModelOutputBufferRequirements, (void *, size_t, size_t, void **)) \
    CALL(CreateManagedTensorBufferFromRequirements, (void *, const struct tensor_type *, void *, void **)) \
    CALL(GetTensorBufferType, (void *, int *)) \
    CALL(GetTensorBufferSize, (void *, size_t *)) \
    CALL(GetTensorBufferHostMemory, (void *, void **)) \
    CALL(LockTensorBuffer, (void *, void **, int)) \
    CALL(UnlockTensorBuffer, (void *)) \
    CALL(RunCompiledModel, (void *, size_t, size_t, void **, size_t, void **)) \
    CALL(CompiledModelIsFullyAccelerated, (void *, bool *)) \
    CALL(CompiledModelIsNonCpuFullyAccelerated, (void *, bool *)) \
    CALL(CompiledModelGetProfiler, (void *, void **)) \
    CALL(StartProfiler, (void *)) \
    CALL(StopProfiler, (void *)) \
    CALL(GetProfileSummary, (void *, void *, const char **)) \
    CALL(GetNumAccelerators, (void *, size_t *)) \
    CALL(GetAccelerator, (void *, size_t, void **)) \
    CALL(GetAcceleratorName, (void *, const char **)) \
    CALL(GetAcceleratorVersion, (void *, struct version *)) \
    CALL(GetAcceleratorHardwareSupport, (void *, int *))

struct litert {
#define MEMBER(name, arguments) int(*name) arguments;
    LITERT_CALLS(MEMBER)
#undef MEMBER
};
extern struct litert litert;

/* Open the library, and return its minor version as text; ends the process where it is none that is known. */
const char *open_litert(const char *path);

#define TRY(reason, name, ...) \
    do { \
        int status_ = litert.name(__VA_ARGS__); \
        if (status_ != 0) fail_call(reason, "LiteRt" #name, status_); \
    } while (0)

#endif
