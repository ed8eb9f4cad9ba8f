/* Run images as they come and give their outputs back: whole, or the rows that can matter. */
#include "worker.h"

#define ALL_ROWS UINT32_MAX

static unsigned char *table;
static size_t channels;
static unsigned char *pixels;

static struct {
    bool on;
    size_t decider, first, last;
    double threshold;
    int axis[MOST_TENSORS]; /* of the decider and its followers; -1 for outputs that come whole */
    uint32_t *rows, n_rows, n_kept;
} cut;

void command_table(char *rest) {
    const struct tensor *input = &model.inputs[0];
    int64_t n = read_number(next_word(&rest), 1, 1 << 16), size = read_number(next_word(&rest), 0, INT64_MAX);
    no_more_words(rest);
    if (model.n_inputs == 0 || input->elements % (size_t)n != 0)
        fail_line("the first input has no %lld channels", (long long)n);
    if ((size_t)size != 256 * (size_t)n * input->element) fail_line("%lld channels take %zu bytes", (long long)n, 256 * (size_t)n * input->element);
    free(table);
    free(pixels);
    table = malloc((size_t)size);
    pixels = malloc(input->elements);
    if (table == NULL || pixels == NULL) fail("memory", "there is no memory for a table");
    channels = (size_t)n;
    read_bytes(table, (size_t)size);
}

#define MAP(type) \
    for (size_t k = 0, channel = 0; k < n; k++) { \
        ((type *)to)[k] = ((const type *)table)[channel * 256 + pixels[k]]; \
        if (++channel == channels) channel = 0; \
    }

static void map_pixels(void *to, size_t n, size_t element) {
    if (element == 1) MAP(uint8_t)
    else if (element == 2) MAP(uint16_t)
    else if (element == 4) MAP(uint32_t)
    else MAP(uint64_t)
}

/* The other dimension than the rows': there is one at most that is not 1. */
static int other_axis(const struct tensor *tensor, int axis) {
    int other = -1;
    for (int k = 0; k < tensor->rank; k++) {
        if (k == axis || tensor->dims[k] == 1) continue;
        if (other >= 0) fail_line("an output that is cut has two dimensions besides its rows");
        other = k;
    }
    return other;
}

static int read_axis(const struct tensor *tensor, const char *word) {
    int axis = (int)read_number(word, 0, tensor->rank - 1);
    other_axis(tensor, axis);
    return axis;
}

static size_t read_output(const char *word) { return (size_t)read_number(word, 0, (int64_t)model.n_outputs - 1); }

static void read_follower(char *word) {
    char *colon = strchr(word, ':');
    if (colon == NULL) fail_line("expected OUTPUT:AXIS, found %.40s", word);
    *colon = '\0';
    size_t output = read_output(word);
    int axis = read_axis(&model.outputs[output], colon + 1);
    if (cut.axis[output] >= 0) fail_line("output %zu is named twice", output);
    if ((uint32_t)model.outputs[output].dims[axis] != cut.n_rows)
        fail_line("output %zu has %d rows, expected %u", output, model.outputs[output].dims[axis], cut.n_rows);
    cut.axis[output] = axis;
}

void command_whole(void) { cut.on = false; }

void command_cut(char *rest) {
    cut.on = false;
    for (size_t k = 0; k < MOST_TENSORS; k++) cut.axis[k] = -1;
    cut.decider = read_output(next_word(&rest));
    const struct tensor *decider = &model.outputs[cut.decider];
    int axis = read_axis(decider, next_word(&rest)), other = other_axis(decider, axis);
    size_t width = other < 0 ? 1 : (size_t)decider->dims[other];
    cut.first = (size_t)read_number(next_word(&rest), 0, (int64_t)width - 1);
    cut.last = (size_t)read_number(next_word(&rest), (int64_t)cut.first + 1, (int64_t)width);
    cut.threshold = read_decimal(next_word(&rest), -1e308, 1e308);
    if (strchr("\1\2\3\7\11", decider->dtype) == NULL) fail_line("output %zu is of a type that is not compared", cut.decider);
    cut.axis[cut.decider] = axis;
    cut.n_rows = (uint32_t)decider->dims[axis];
    while (rest != NULL) read_follower(next_word(&rest));
    free(cut.rows);
    cut.rows = malloc(cut.n_rows * sizeof *cut.rows);
    if (cut.rows == NULL) fail("memory", "there is no memory for %u rows", cut.n_rows);
    cut.on = true;
}

/* Whether a value is below the threshold; what is not a number is not. */
static bool is_below(const struct tensor *tensor, size_t at) {
    switch (tensor->dtype) {
        case 1: return (double)((const float *)tensor->host)[at] < cut.threshold;
        case 2: return (double)((const int32_t *)tensor->host)[at] < cut.threshold;
        case 3: return (double)tensor->host[at] < cut.threshold;
        case 7: return (double)((const int16_t *)tensor->host)[at] < cut.threshold;
        default: return (double)((const int8_t *)tensor->host)[at] < cut.threshold;
    }
}

/* Between two elements of one row, and between two rows, there are so many elements. */
static void strides(const struct tensor *tensor, int axis, size_t *row, size_t *element, size_t *width) {
    int other = other_axis(tensor, axis);
    size_t behind = 1;
    *element = *row = 1;
    *width = other < 0 ? 1 : (size_t)tensor->dims[other];
    for (int k = tensor->rank - 1; k >= 0; k--) {
        if (k == axis) *row = behind;
        if (k == other) *element = behind;
        behind *= (size_t)tensor->dims[k];
    }
}

static void choose_rows(void) {
    const struct tensor *decider = &model.outputs[cut.decider];
    size_t row, element, width;
    strides(decider, cut.axis[cut.decider], &row, &element, &width);
    cut.n_kept = 0;
    for (uint32_t r = 0; r < cut.n_rows; r++) {
        size_t k = cut.first;
        while (k < cut.last && is_below(decider, r * row + k * element)) k++;
        if (k < cut.last) cut.rows[cut.n_kept++] = r;
    }
}

static void send_head(const struct tensor *tensor, uint32_t index, int rank, const int32_t *dims, uint64_t bytes) {
    unsigned char head[8] = {0};
    memcpy(head, &index, 4);
    head[4] = (unsigned char)tensor->dtype;
    head[5] = (unsigned char)rank;
    frame_bytes(head, sizeof head);
    frame_bytes(dims, (size_t)rank * sizeof *dims);
    frame_bytes(&bytes, sizeof bytes);
}

static void send_rows(const struct tensor *tensor, uint32_t index) {
    static unsigned char *gathered;
    static size_t room;
    size_t row, element, width, size = tensor->element;
    strides(tensor, cut.axis[index], &row, &element, &width);
    size_t bytes = cut.n_kept * width * size;
    if (bytes > room) {
        free(gathered);
        gathered = malloc(room = bytes);
        if (gathered == NULL) fail("memory", "there is no memory for %u rows", cut.n_kept);
    }
    unsigned char *to = gathered;
    for (uint32_t r = 0; r < cut.n_kept; r++) {
        const unsigned char *from = tensor->host + cut.rows[r] * row * size;
        if (element == 1) memcpy(to, from, width * size);
        else for (size_t k = 0; k < width; k++) memcpy(to + k * size, from + k * element * size, size);
        to += width * size;
    }
    int32_t dims[2] = {(int32_t)cut.n_kept, (int32_t)width};
    send_head(tensor, index, 2, dims, bytes);
    frame_bytes(gathered, bytes);
}

static size_t frame_size(void) {
    size_t size = 24 + (cut.on ? 4 * (size_t)cut.n_kept : 0);
    for (size_t k = 0; k < model.n_outputs; k++) {
        const struct tensor *tensor = &model.outputs[k];
        bool rows = cut.on && cut.axis[k] >= 0;
        size += 16 + 4 * (size_t)(rows ? 2 : tensor->rank);
        size += rows ? cut.n_kept * (tensor->bytes / cut.n_rows) : tensor->bytes;
    }
    return size;
}

static void send_outputs(int64_t number, int64_t duration) {
    int64_t head[2] = {number, duration};
    uint32_t counts[2] = {(uint32_t)model.n_outputs, ALL_ROWS};
    if (cut.on) {
        choose_rows();
        counts[1] = cut.n_kept;
    }
    frame_header("OUTP", frame_size());
    frame_bytes(head, sizeof head);
    frame_bytes(counts, sizeof counts);
    if (cut.on) frame_bytes(cut.rows, cut.n_kept * sizeof *cut.rows);
    for (uint32_t k = 0; k < model.n_outputs; k++) {
        const struct tensor *tensor = &model.outputs[k];
        if (cut.on && cut.axis[k] >= 0) {
            send_rows(tensor, k);
            continue;
        }
        send_head(tensor, k, tensor->rank, tensor->dims, tensor->bytes);
        frame_bytes(tensor->host, tensor->bytes);
    }
    frame_end();
}

void command_infer(char *rest) {
    struct tensor *input = &model.inputs[0];
    int64_t start, number = read_number(next_word(&rest), 0, INT64_MAX);
    const char *how = next_word(&rest);
    bool mapped = strcmp(how, "mapped") == 0;
    if (!mapped && strcmp(how, "raw") != 0) fail_line("expected `raw` or `mapped`, found %.40s", how);
    int64_t size = read_number(next_word(&rest), 0, INT64_MAX);
    no_more_words(rest);
    if (model.n_inputs == 0) fail_line("the model has no input");
    if (mapped && table == NULL) fail_line("`mapped` takes a table first");
    size_t expected = mapped ? input->elements : input->bytes;
    if ((size_t)size != expected) fail("input", "an image takes %zu bytes, and %lld were announced", expected, (long long)size);
    read_bytes(mapped ? pixels : input->host, expected);
    if (mapped) map_pixels(input->host, input->elements, input->element);
    for (size_t k = 1; k < model.n_inputs; k++) {
        if (model.inputs[k].n_values == 0) fail("input", "input %zu was given no value", k);
        set_value(&model.inputs[k], 0);
    }
    int64_t duration = run_model(&start);
    send_outputs(number, duration);
}
