/* A delegate library for the tests: it does what its options say, and computes what it takes.

   It runs the nodes that it takes with the runtime's own kernels, on buffers of its own for what lies between them, so
   its results are those of the builtin kernels and its presence can be seen in nothing but the graph. Built with
   -DEDGETPU it stands for libedgetpu.so.1: it takes `edgetpu-custom-op` alone, whose outputs it fills from its first
   input.

   Options (key=value):
     take=none|all|NAME,NAME…  operators to take (default all; with -DEDGETPU edgetpu-custom-op)
     at_most=N                 take only the first N of them
     fail|crash|hang=STAGE     in create, prepare, init, kernel-prepare or invoke
     wrong=1|nan               spoil every output
     load_us=N                 loading a model's parameters takes N µs, at its first inference and after another's
     lock=FOLDER               hold FOLDER/DEVICE while alive, as a TPU can be held by one process alone
     device=…, Performance=…   told on stderr, like every option */

#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "litert_abi.h"

#define EXPORT __attribute__((visibility("default")))
#ifdef EDGETPU
#define NAME "EdgeTpuDelegateForCustomOp"
#define TAKE "edgetpu-custom-op"
#else
#define NAME "StandInDelegate"
#define TAKE "all"
#endif

typedef struct {
    Delegate base;
    char take[256], fail[32], crash[32], hang[32], wrong[8], device[32], lock[512];
    int at_most, load_us, lock_file;
} StandIn;

typedef struct {
    StandIn *owner;
    DelegateParams params;
    int n, n_inner;
    Node *nodes;
    Registration *registrations;
    int *inner; /* tensors that live inside the partition: nobody but this kernel gives them memory */
    void **buffers;
} Kernel;

static Kernel *loaded; /* whose parameters are on the device: one process, one device */

static const struct { const char *name; int code; } OPERATORS[] = {
    {"ADD", 0},      {"CONCATENATION", 2}, {"CONV_2D", 3}, {"DEPTHWISE_CONV_2D", 4},
    {"LOGISTIC", 14}, {"MUL", 18},          {"RELU", 19},   {"RESHAPE", 22},
};

static bool lists(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == 0)) return true;
    return false;
}

static bool takes(const StandIn *self, const Registration *registration) {
    if (strcmp(self->take, "none") == 0) return false;
    if (strcmp(self->take, "all") == 0) return true;
    if (registration->custom_name) return lists(self->take, registration->custom_name);
    for (size_t i = 0; i < sizeof OPERATORS / sizeof *OPERATORS; i++)
        if (OPERATORS[i].code == registration->builtin_code) return lists(self->take, OPERATORS[i].name);
    return false;
}

/* Misbehave as asked; true where the stage is to fail. */
static bool fails(const StandIn *self, const char *stage) {
    if (strcmp(self->crash, stage) == 0) *(volatile int *)NULL = 1;
    while (strcmp(self->hang, stage) == 0) sleep(1);
    return strcmp(self->fail, stage) == 0;
}

static bool contains(const Ints *array, int value) {
    for (int i = 0; array && i < array->size; i++)
        if (array->data[i] == value) return true;
    return false;
}

static void collect_inner(Context *context, Kernel *kernel, const Ints *tensors) {
    for (int i = 0; tensors && i < tensors->size; i++) {
        int index = tensors->data[i];
        if (index < 0 || contains(kernel->params.output_tensors, index)) continue;
        int kind = context->tensors[index].allocation_type;
        if (kind != ARENA && kind != ARENA_PERSISTENT) continue;
        kernel->inner = realloc(kernel->inner, sizeof(int) * (kernel->n_inner + 1));
        kernel->inner[kernel->n_inner++] = index;
    }
}

static void *kernel_init(Context *context, const char *buffer, size_t length) {
    (void)length;
    const DelegateParams *params = (const DelegateParams *)buffer;
    StandIn *self = (StandIn *)params->delegate->data;
    if (fails(self, "init")) return (void *)-1; /* TfLiteKernelInitFailed() */
    Kernel *kernel = calloc(1, sizeof *kernel);
    kernel->owner = self;
    kernel->params = *params;
    kernel->n = params->nodes_to_replace->size;
    kernel->nodes = calloc(kernel->n, sizeof(Node));
    kernel->registrations = calloc(kernel->n, sizeof(Registration));
    for (int i = 0; i < kernel->n; i++) {
        Node *node;
        Registration *registration;
        context->get_node_and_registration(context, params->nodes_to_replace->data[i], &node, &registration);
        kernel->nodes[i] = *node;
        kernel->registrations[i] = *registration;
    }
    return kernel;
}

static void kernel_free(Context *context, void *data) {
    (void)context;
    Kernel *kernel = data;
    if (kernel == NULL || data == (void *)-1) return;
    if (loaded == kernel) loaded = NULL;
    for (int i = 0; kernel->buffers && i < kernel->n_inner; i++) free(kernel->buffers[i]);
    free(kernel->buffers);
    free(kernel->inner);
    free(kernel->nodes);
    free(kernel->registrations);
    free(kernel);
}

static Status kernel_prepare(Context *context, Node *node) {
    Kernel *kernel = node->user_data;
    if (fails(kernel->owner, "kernel-prepare")) {
        context->report_error(context, "the stand-in refuses this graph");
        return FAILED;
    }
    /* Once: a second delegate (XNNPACK) makes the runtime forget the sizes of what no longer lies in its plan. */
    if (kernel->buffers) return OK;
    for (int i = 0; i < kernel->n; i++) {
        collect_inner(context, kernel, kernel->nodes[i].outputs);
        collect_inner(context, kernel, kernel->nodes[i].temporaries);
    }
    kernel->buffers = calloc(kernel->n_inner + 1, sizeof(void *));
    for (int i = 0; i < kernel->n_inner; i++)
        if (posix_memalign(&kernel->buffers[i], 64, context->tensors[kernel->inner[i]].bytes + 64)) return FAILED;
    return OK;
}

static void spoil(Tensor *tensor, bool nan_values) {
    float *floats = tensor->data;
    unsigned char *bytes = tensor->data;
    if (tensor->type == TYPE_FLOAT32)
        for (size_t i = 0; i < tensor->bytes / 4; i++) floats[i] = nan_values ? NAN : 1.0f - floats[i];
    else
        for (size_t i = 0; i < tensor->bytes; i++) bytes[i] = 255 - bytes[i];
}

#ifdef EDGETPU
static Status run_nodes(Context *context, Kernel *kernel) {
    const Tensor *input = &context->tensors[kernel->nodes[0].inputs->data[0]];
    for (int k = 0; k < kernel->params.output_tensors->size; k++) {
        Tensor *output = &context->tensors[kernel->params.output_tensors->data[k]];
        const unsigned char *from = input->data;
        for (size_t i = 0; i < output->bytes && output->type != TYPE_FLOAT32; i++)
            ((unsigned char *)output->data)[i] = from[i % input->bytes];
        for (size_t i = 0; i < output->bytes / 4 && output->type == TYPE_FLOAT32; i++)
            ((float *)output->data)[i] = from[i % input->bytes] / 255.0f;
    }
    return OK;
}
#else
static Status run_nodes(Context *context, Kernel *kernel) {
    for (int i = 0; i < kernel->n_inner; i++) context->tensors[kernel->inner[i]].data = kernel->buffers[i];
    for (int i = 0; i < kernel->n; i++) {
        Status status = kernel->registrations[i].invoke(context, &kernel->nodes[i]);
        if (status != OK) return status;
    }
    return OK;
}
#endif

static Status kernel_invoke(Context *context, Node *node) {
    Kernel *kernel = node->user_data;
    StandIn *self = kernel->owner;
    if (fails(self, "invoke")) {
        context->report_error(context, "the stand-in lost its device");
        return FAILED;
    }
    if (loaded != kernel && self->load_us) usleep(self->load_us);
    loaded = kernel;
    Status status = run_nodes(context, kernel);
    for (int i = 0; status == OK && self->wrong[0] && i < node->outputs->size; i++)
        spoil(&context->tensors[node->outputs->data[i]], strcmp(self->wrong, "nan") == 0);
    return status;
}

static Status prepare(Context *context, Delegate *delegate) {
    StandIn *self = (StandIn *)delegate->data;
    if (fails(self, "prepare")) {
        context->report_error(context, "the stand-in cannot prepare");
        return FAILED;
    }
    Ints *plan;
    if (context->get_execution_plan(context, &plan) != OK) return FAILED;
    Ints *taken = calloc(1, sizeof(Ints) + sizeof(int) * plan->size);
    for (int i = 0; i < plan->size && taken->size < self->at_most; i++) {
        Node *node;
        Registration *registration;
        if (context->get_node_and_registration(context, plan->data[i], &node, &registration) != OK) return FAILED;
        if (takes(self, registration)) taken->data[taken->size++] = plan->data[i];
    }
    fprintf(stderr, "stand-in took %d of %d\n", taken->size, plan->size);
    Registration kernel = {.init = kernel_init, .free = kernel_free, .prepare = kernel_prepare,
                           .invoke = kernel_invoke, .custom_name = NAME, .version = 1};
    Status status = taken->size ? context->replace_node_subsets(context, kernel, taken, delegate) : OK;
    free(taken);
    return status;
}

static void set(char *field, size_t size, const char *value) { snprintf(field, size, "%s", value); }

static void read_option(StandIn *self, const char *key, const char *value) {
    fprintf(stderr, "stand-in delegate option: %s=%s\n", key, value);
    if (!strcmp(key, "take")) set(self->take, sizeof self->take, value);
    if (!strcmp(key, "fail")) set(self->fail, sizeof self->fail, value);
    if (!strcmp(key, "crash")) set(self->crash, sizeof self->crash, value);
    if (!strcmp(key, "hang")) set(self->hang, sizeof self->hang, value);
    if (!strcmp(key, "wrong")) set(self->wrong, sizeof self->wrong, value);
    if (!strcmp(key, "device")) set(self->device, sizeof self->device, value);
    if (!strcmp(key, "lock")) set(self->lock, sizeof self->lock, value);
    if (!strcmp(key, "at_most")) self->at_most = atoi(value);
    if (!strcmp(key, "load_us")) self->load_us = atoi(value);
}

static bool claim_device(StandIn *self) {
    char path[1024];
    if (!self->lock[0]) return true;
    snprintf(path, sizeof path, "%s/%s", self->lock, self->device);
    self->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return self->lock_file >= 0 && flock(self->lock_file, LOCK_EX | LOCK_NB) == 0;
}

EXPORT Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t n, void (*report)(const char *)) {
    StandIn *self = calloc(1, sizeof *self);
    self->at_most = 1 << 20;
    self->lock_file = -1;
    set(self->take, sizeof self->take, TAKE);
    set(self->device, sizeof self->device, "any");
    for (int i = 0; i < (int)n; i++) read_option(self, keys[i], values[i]);
    if (fails(self, "create") || !claim_device(self)) {
        if (report) report(fails(self, "create") ? "the stand-in was told to fail" : "the device is in use");
        free(self);
        return NULL;
    }
    self->base.data = self;
    self->base.prepare = prepare;
#ifdef EDGETPU
    self->base.flags = ALLOW_DYNAMIC_TENSORS;
#endif
    return &self->base;
}

EXPORT void tflite_plugin_destroy_delegate(Delegate *delegate) {
    StandIn *self = delegate->data;
    if (self->lock_file >= 0) close(self->lock_file);
    free(self);
}
