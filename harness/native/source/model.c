/* A compiled model: its options, its tensors, their buffers, and one inference. */
#include "litert.h"
#include "worker.h"

struct model model;
static void *environment, *compiled;
static void *input_buffers[MOST_TENSORS], *output_buffers[MOST_TENSORS];

static void keep(void *payload) { (void)payload; } /* texts of options live as long as the process */

static void add_options(void *options, const char *identifier, char *text) {
    void *further;
    TRY("compile", CreateOpaqueOptions, identifier, text, keep, &further);
    TRY("compile", AddOpaqueOptions, options, further);
}

/* What a model is compiled for: the CPU takes what the others leave. */
static int hardware(const struct setup *setup) {
    return setup->accelerator == 'g' ? GPU | CPU : setup->accelerator == 'n' ? NPU | CPU : CPU;
}

static void *make_environment(const struct setup *setup) {
    static char folder[MOST_LINE];
    struct env_option options[4];
    int n = 0;
    void *made;
    const char *slash = strrchr(setup->library, '/');
    size_t length = slash ? (size_t)(slash - setup->library) : 1;
    memcpy(folder, slash ? setup->library : ".", length);
    options[n++] = (struct env_option){TAG_RUNTIME, {ANY_STRING, {.text = folder}}};
    if (setup->dispatch) options[n++] = (struct env_option){TAG_DISPATCH, {ANY_STRING, {.text = setup->dispatch}}};
    /* The libraries of other accelerators stay out: LiteRT loads all that it finds, which takes memory and time. */
    options[n++] = (struct env_option){TAG_REGISTER, {ANY_INT, {.number = hardware(setup)}}};
    if (setup->plugins) options[n++] = (struct env_option){TAG_PLUGINS, {ANY_STRING, {.text = setup->plugins}}};
    TRY("environment", CreateEnvironment, n, options, &made);
    return made;
}

static void *make_options(const struct setup *setup) {
    static char profiling[] = "enable_profiling = true\n";
    void *options;
    TRY("compile", CreateOptions, &options);
    TRY("compile", SetOptionsHardwareAccelerators, options, hardware(setup));
    if (setup->profile) add_options(options, "runtime_options_string", profiling);
    for (int k = 0; k < setup->n_options; k++) add_options(options, setup->identifiers[k], setup->texts[k]);
    return options;
}

static size_t element_size(int type) {
    switch (type) {
        case 3: case 6: case 9: return 1;  /* uint8, bool, int8 */
        case 7: case 10: return 2;         /* int16, float16 */
        case 1: case 2: return 4;          /* float32, int32 */
        case 4: case 11: return 8;         /* int64, float64 */
        default: return 0;
    }
}

static const char *type_name(int type) {
    static const char *const names[] = {"", "float32", "int32", "uint8", "int64", "", "bool", "int16", "", "int8", "float16", "float64"};
    return names[type];
}

static void take_layout(struct tensor *tensor, const struct layout *layout, const char *side, size_t index) {
    tensor->rank = (int32_t)(layout->rank & 127);
    tensor->elements = 1;
    if (tensor->rank > MOST_RANK) fail("tensor", "%s %zu has %d dimensions", side, index, tensor->rank);
    for (int k = 0; k < tensor->rank; k++) {
        tensor->dims[k] = layout->dims[k];
        if (layout->dims[k] <= 0)
            fail("tensor", "%s %zu has no fixed size: dimension %d is %d", side, index, k, layout->dims[k]);
        if (tensor->elements > (size_t)1 << 32) fail("tensor", "%s %zu is too large", side, index);
        tensor->elements *= (size_t)layout->dims[k];
    }
    tensor->bytes = tensor->elements * tensor->element;
}

static void make_buffer(struct tensor *tensor, void *needs, const struct tensor_type *type, const char *side, size_t index) {
    int kind;
    size_t size;
    TRY("tensor", CreateManagedTensorBufferFromRequirements, environment, type, needs, &tensor->buffer);
    TRY("tensor", GetTensorBufferType, tensor->buffer, &kind);
    TRY("tensor", GetTensorBufferSize, tensor->buffer, &size);
    if (kind == HOST_MEMORY && size < tensor->bytes)
        fail("tensor", "%s %zu takes %zu bytes, and LiteRT gives it %zu", side, index, tensor->bytes, size);
    tensor->on_host = kind == HOST_MEMORY && !model.copies;
    if (tensor->on_host) {
        TRY("tensor", GetTensorBufferHostMemory, tensor->buffer, (void **)&tensor->host);
    } else {
        tensor->host = calloc(1, tensor->bytes);
        if (tensor->host == NULL) fail("memory", "there is no memory for %s %zu", side, index);
    }
}

static void describe(const struct tensor *tensor, void *handle, const char *side, size_t index) {
    struct text text = {0};
    char shape[16 * MOST_RANK] = "";
    const char *name = "";
    uint32_t place = 0;
    int kind = 0, quantization = 0;
    struct per_tensor values;
    for (int k = 0, n = 0; k < tensor->rank; k++)
        n += snprintf(shape + n, sizeof shape - (size_t)n, k ? ",%d" : "%d", tensor->dims[k]);
    TRY("tensor", GetTensorName, handle, &name);
    TRY("tensor", GetTensorIndex, handle, &place);
    TRY("tensor", GetQuantizationTypeId, handle, &quantization);
    TRY("tensor", GetTensorBufferType, tensor->buffer, &kind);
    text_line(&text, "side", "%s", side);
    text_line(&text, "index", "%zu", index);
    text_line(&text, "tensor", "%u", place);
    text_line(&text, "name", "%s", name ? name : "");
    text_line(&text, "dtype", "%s", type_name(tensor->dtype));
    text_line(&text, "shape", "%s", shape);
    if (quantization == PER_TENSOR) {
        TRY("tensor", GetPerTensorQuantization, handle, &values);
        text_line(&text, "scale", "%.9g", (double)values.scale);
        text_line(&text, "zero_point", "%lld", (long long)values.zero_point);
    }
    text_line(&text, "bytes", "%zu", tensor->bytes);
    text_line(&text, "buffer", "%d", kind);
    send_text("TENS", &text);
}

static void make_tensor(struct tensor *tensor, void *handle, const struct layout *layout, void *needs, const char *side, size_t index) {
    struct tensor_type type;
    TRY("tensor", GetRankedTensorType, handle, &type);
    tensor->dtype = type.element;
    tensor->element = element_size(type.element);
    if (tensor->element == 0) fail("tensor", "%s %zu is of LiteRT's type %d, which is not handled", side, index, type.element);
    take_layout(tensor, layout, side, index);
    type.layout = *layout;
    make_buffer(tensor, needs, &type, side, index);
}

static void make_tensors(void *signature) {
    static struct layout layouts[MOST_TENSORS];
    static void *handles[MOST_TENSORS], *ends[MOST_TENSORS];
    void *needs;
    TRY("tensor", GetNumSignatureInputs, signature, &model.n_inputs);
    TRY("tensor", GetNumSignatureOutputs, signature, &model.n_outputs);
    if (model.n_inputs > MOST_TENSORS || model.n_outputs > MOST_TENSORS)
        fail("tensor", "the model has %zu inputs and %zu outputs, at most %d are handled", model.n_inputs, model.n_outputs, MOST_TENSORS);
    /* First of all: 2.3 sizes the outputs of TFLite_Detection_PostProcess wrongly until it was asked for layouts. */
    TRY("tensor", GetCompiledModelOutputTensorLayouts, compiled, 0, model.n_outputs, layouts, true);
    for (size_t k = 0; k < model.n_outputs; k++) {
        TRY("tensor", GetSignatureOutputTensorByIndex, signature, k, &ends[k]);
        TRY("tensor", GetCompiledModelOutputBufferRequirements, compiled, 0, k, &needs);
        make_tensor(&model.outputs[k], ends[k], &layouts[k], needs, "output", k);
        output_buffers[k] = model.outputs[k].buffer;
    }
    for (size_t k = 0; k < model.n_inputs; k++) {
        struct layout layout;
        TRY("tensor", GetSignatureInputTensorByIndex, signature, k, &handles[k]);
        TRY("tensor", GetCompiledModelInputTensorLayout, compiled, 0, k, &layout);
        TRY("tensor", GetCompiledModelInputBufferRequirements, compiled, 0, k, &needs);
        make_tensor(&model.inputs[k], handles[k], &layout, needs, "input", k);
        input_buffers[k] = model.inputs[k].buffer;
    }
    for (size_t k = 0; k < model.n_inputs; k++) describe(&model.inputs[k], handles[k], "input", k);
    for (size_t k = 0; k < model.n_outputs; k++) describe(&model.outputs[k], ends[k], "output", k);
}

static void list_accelerators(struct text *text) {
    size_t n = 0;
    TRY("environment", GetNumAccelerators, environment, &n);
    for (size_t k = 0; k < n; k++) {
        void *each;
        const char *name = "";
        struct version version = {0, 0, 0};
        int hardware = 0;
        TRY("environment", GetAccelerator, environment, k, &each);
        TRY("environment", GetAcceleratorName, each, &name);
        litert.GetAcceleratorVersion(each, &version);
        litert.GetAcceleratorHardwareSupport(each, &hardware);
        text_line(text, "accelerator", "%s %d %d.%d.%d", name, hardware, version.major, version.minor, version.patch);
    }
}

static size_t count_operators(void *loaded) {
    size_t index = 0, n = 0;
    void *graph;
    TRY("model", GetMainModelSubgraphIndex, loaded, &index);
    TRY("model", GetModelSubgraph, loaded, index, &graph);
    TRY("model", GetNumSubgraphOps, graph, &n);
    return n;
}

void compile_model(const struct setup *setup) {
    void *loaded, *signature;
    const char *key = "";
    bool flag;
    struct text text = {0};
    mark_stage("library");
    const char *interface = open_litert(setup->library);
    int64_t before = peak_bytes();
    model.copies = setup->accelerator != 'c';
    mark_stage("compile");
    int64_t begin = now_ns();
    environment = make_environment(setup);
    TRY("model", CreateModelFromFile, environment, setup->model, &loaded);
    size_t operators = count_operators(loaded);
    TRY("compile", CreateCompiledModel, environment, loaded, make_options(setup), &compiled);
    int64_t taken = now_ns() - begin;
    mark_stage("compiled");
    TRY("model", GetModelSignature, loaded, 0, &signature);
    TRY("model", GetSignatureKey, signature, &key);
    text_line(&text, "library", "%s", setup->library);
    text_line(&text, "interface", "%s", interface);
    text_line(&text, "init_ns", "%lld", (long long)taken);
    if (before != UNKNOWN) text_line(&text, "memory_before_bytes", "%lld", (long long)before);
    list_accelerators(&text);
    if (litert.CompiledModelIsFullyAccelerated(compiled, &flag) == 0) text_line(&text, "fully_accelerated", "%d", flag);
    if (litert.CompiledModelIsNonCpuFullyAccelerated(compiled, &flag) == 0)
        text_line(&text, "non_cpu_fully_accelerated", "%d", flag);
    text_line(&text, "signature", "%s", key ? key : "");
    text_line(&text, "operators", "%zu", operators);
    send_text("INFO", &text);
    make_tensors(signature);
}

/* Hand the inputs over where they are not in LiteRT's own memory already. */
static void hand_over(void) {
    void *at;
    for (size_t k = 0; k < model.n_inputs; k++) {
        struct tensor *tensor = &model.inputs[k];
        if (tensor->on_host) continue;
        TRY("input", LockTensorBuffer, tensor->buffer, &at, LOCK_WRITE);
        memcpy(at, tensor->host, tensor->bytes);
        TRY("input", UnlockTensorBuffer, tensor->buffer);
    }
}

/* Wait until the outputs can be read, and bring them into memory of the host: only then is an inference over. */
static void bring_back(void) {
    void *at;
    for (size_t k = 0; k < model.n_outputs; k++) {
        struct tensor *tensor = &model.outputs[k];
        if (tensor->on_host) continue;
        TRY("output", LockTensorBuffer, tensor->buffer, &at, LOCK_READ);
        memcpy(tensor->host, at, tensor->bytes);
        TRY("output", UnlockTensorBuffer, tensor->buffer);
    }
}

/* LiteRT has runs without an error that leave an output as it was, and outputs whose size is known afterwards only. */
static void fill_outputs(int byte) {
    for (size_t k = 0; k < model.n_outputs; k++) memset(model.outputs[k].host, byte, model.outputs[k].bytes);
}

static bool is_full_of(const struct tensor *tensor, unsigned char byte) {
    size_t n = 0;
    while (n < tensor->bytes && tensor->host[n] == byte) n++;
    return n == tensor->bytes;
}

static void check_sizes(void) {
    static struct layout layouts[MOST_TENSORS];
    TRY("output", GetCompiledModelOutputTensorLayouts, compiled, 0, model.n_outputs, layouts, false);
    for (size_t k = 0; k < model.n_outputs; k++) {
        const struct tensor *tensor = &model.outputs[k];
        for (int axis = 0; axis < tensor->rank; axis++)
            if (layouts[k].dims[axis] != tensor->dims[axis])
                fail("output", "output %zu has another size after a run: dimension %d is %d, was %d", k, axis, layouts[k].dims[axis], tensor->dims[axis]);
    }
}

static int64_t run_once(int64_t *start);

int64_t run_model(int64_t *start) {
    static bool checked;
    int64_t again;
    if (checked) return run_once(start);
    fill_outputs(0xA5);
    int64_t duration = run_once(start);
    check_sizes();
    for (size_t k = 0; k < model.n_outputs; k++) {
        if (!is_full_of(&model.outputs[k], 0xA5)) continue;
        fill_outputs(0x5A); /* an output may be full of one value; it is not of two */
        run_once(&again);
        if (is_full_of(&model.outputs[k], 0x5A)) fail("output", "LiteRT ran without an error and wrote nothing to output %zu", k);
    }
    checked = true;
    return duration;
}

static int64_t run_once(int64_t *start) {
    int64_t begin = now_ns();
    if (model.copies) hand_over();
    int status = litert.RunCompiledModel(compiled, 0, model.n_inputs, input_buffers, model.n_outputs, output_buffers);
    if (model.copies && status == 0) bring_back();
    int64_t end = now_ns();
    if (status != 0) fail_call("run", "LiteRtRunCompiledModel", status);
    *start = begin;
    return end - begin;
}

void set_value(struct tensor *input, size_t turn) {
    if (input->n_values) memcpy(input->host, input->values[turn % input->n_values], input->bytes);
}

const char *profile_model(int64_t runs, double seconds) {
    void *profiler = NULL;
    const char *summary = "";
    int64_t start, begin, n = 0;
    TRY("run", CompiledModelGetProfiler, compiled, &profiler);
    if (profiler == NULL) fail("run", "this LiteRT has no profiler in its compiled models");
    for (int k = 0; k < 5; k++) run_model(&start); /* the first inferences are not what later ones are */
    TRY("run", StartProfiler, profiler);
    begin = now_ns();
    while (n < runs || (double)(now_ns() - begin) < seconds * 1e9) {
        for (size_t k = 0; k < model.n_inputs; k++) set_value(&model.inputs[k], (size_t)n);
        run_model(&start);
        n++;
        if (host_is_gone()) _exit(5);
    }
    TRY("run", StopProfiler, profiler);
    TRY("run", GetProfileSummary, profiler, compiled, &summary);
    return summary ? summary : "";
}
