/* Time inferences. Between the two clock reads of one there is nothing but the inference; between two inferences nothing
 * but the next input, and a look at the clock every tenth of a second. */
#include "worker.h"

#define MOST_SAMPLES 2000000
#define CHUNK_NS 100000000.0
#define HELD_CHUNK_NS 5000000.0
#define MOST_HELD_NS 10000000000
#define LAST 20

static int64_t *starts, *durations;
static size_t done, sent; /* inferences of the trace, and those that the host has been given */
static bool held;         /* the last command let the trace go on */

static void infer_next(void) {
    for (size_t k = 0; k < model.n_inputs; k++) set_value(&model.inputs[k], done);
    durations[done] = run_model(&starts[done]);
    done++;
}

/* The median of the last durations; an inference is never shorter than 1 ns. */
static double typical(void) {
    int64_t last[LAST];
    size_t n = 0;
    for (size_t k = done > LAST ? done - LAST : 0; k < done; k++) {
        size_t place = n++;
        while (place > 0 && last[place - 1] > durations[k]) {
            last[place] = last[place - 1];
            place--;
        }
        last[place] = durations[k];
    }
    double middle = n == 0 ? 1 : n % 2 ? (double)last[n / 2] : (double)(last[n / 2 - 1] + last[n / 2]) / 2;
    return middle < 1 ? 1 : middle;
}

static double measured_ns(size_t from) {
    double sum = 0;
    for (size_t k = from; k < done; k++) sum += (double)durations[k];
    return sum;
}

/* How many inferences until the next look: a tenth of a second, at most what is still wanted, at least one. */
static size_t next_stop(int64_t runs, double missing_ns) {
    double each = typical(), chunk = CHUNK_NS / each, wanted = missing_ns / each + 1;
    int64_t missing_runs = runs - (int64_t)(done - sent);
    if (wanted < (double)missing_runs) wanted = (double)missing_runs;
    if (wanted < chunk) chunk = wanted;
    size_t n = chunk < 1 ? 1 : (size_t)chunk;
    return n < MOST_SAMPLES - done ? done + n : MOST_SAMPLES;
}

static bool has_enough(int64_t runs, double ns) {
    return (int64_t)(done - sent) >= runs && measured_ns(sent) >= ns;
}

static void measure(int64_t runs, double seconds, double most) {
    int64_t begin = now_ns();
    if (done == 0) infer_next(); /* how long one takes is not known before */
    while (!has_enough(runs, seconds * 1e9) && done < MOST_SAMPLES && (double)(now_ns() - begin) < most * 1e9) {
        size_t stop = next_stop(runs, seconds * 1e9 - measured_ns(sent));
        while (done < stop) infer_next();
        if (host_is_gone()) _exit(5);
    }
}

static void send_samples(void) {
    int64_t head[2] = {(int64_t)sent, (int64_t)(done - sent)};
    size_t bytes = (done - sent) * sizeof *starts;
    frame_header("SAMP", sizeof head + 2 * bytes);
    frame_bytes(head, sizeof head);
    frame_bytes(starts + sent, bytes);
    frame_bytes(durations + sent, bytes);
    frame_end();
    sent = done;
}

/* Go on until the next command is there. */
static void hold(void) {
    int64_t begin = now_ns();
    while (!input_is_waiting() && done < MOST_SAMPLES && now_ns() - begin < MOST_HELD_NS) {
        double n = HELD_CHUNK_NS / typical();
        for (size_t k = 0; k < (n < 1 ? 1 : (size_t)n) && done < MOST_SAMPLES; k++) infer_next();
        if (host_is_gone()) _exit(5);
    }
}

static void check_inputs(void) {
    for (size_t k = 0; k < model.n_inputs; k++)
        if (model.inputs[k].n_values == 0) fail("input", "input %zu was given no value", k);
}

static void make_trace(void) {
    starts = calloc(2 * MOST_SAMPLES, sizeof *starts);
    if (starts == NULL) fail("memory", "there is no memory for %d samples", MOST_SAMPLES);
    durations = starts + MOST_SAMPLES;
}

void command_time(char *rest) {
    int64_t runs = read_number(next_word(&rest), 1, MOST_SAMPLES);
    double seconds = read_decimal(next_word(&rest), 0, 1e6), most = read_decimal(next_word(&rest), 0, 1e6);
    bool go_on = rest != NULL;
    if (go_on && strcmp(next_word(&rest), "hold") != 0) fail_line("expected `hold` or nothing");
    no_more_words(rest);
    check_inputs();
    if (starts == NULL) make_trace();
    if (!held) mark_stage("time");
    if (!held) send_state();
    measure(runs, seconds, most);
    send_samples();
    if (!go_on) send_state();
    send_done("time");
    held = go_on;
    if (go_on) hold();
}

/* Another command ends the trace: what was measured since the last answer is not part of it. */
void end_hold(void) {
    if (held) done = sent;
    held = false;
}

void command_operators(char *rest) {
    int64_t runs = read_number(next_word(&rest), 1, MOST_SAMPLES);
    double seconds = read_decimal(next_word(&rest), 0, 1e6);
    no_more_words(rest);
    check_inputs();
    for (size_t k = 0; k < model.n_inputs; k++) set_value(&model.inputs[k], 0);
    const char *summary = profile_model(runs, seconds);
    send_frame("TEXT", summary, strlen(summary));
    send_done("operators");
}

/* Prepared values of inputs. */
static struct tensor *read_input(char **rest, size_t *index) {
    *index = (size_t)read_number(next_word(rest), 0, (int64_t)model.n_inputs - 1);
    return &model.inputs[*index];
}

static unsigned char *add_value(struct tensor *input) {
    unsigned char *value = malloc(input->bytes);
    unsigned char **longer = realloc(input->values, (input->n_values + 1) * sizeof *longer);
    if (value == NULL || longer == NULL) fail("memory", "there is no memory for a value of %zu bytes", input->bytes);
    input->values = longer;
    input->values[input->n_values++] = value;
    return value;
}

void command_input(char *rest) {
    size_t index;
    struct tensor *input = read_input(&rest, &index);
    int64_t size = read_number(next_word(&rest), 0, INT64_MAX);
    no_more_words(rest);
    if ((size_t)size != input->bytes)
        fail("input", "input %zu takes %zu bytes, and a value of %lld was announced", index, input->bytes, (long long)size);
    read_bytes(add_value(input), input->bytes);
}

static void read_value(int file, unsigned char *to, size_t size, const char *path) {
    while (size > 0) {
        ssize_t n = read(file, to, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) fail("file", "%s ends before its last value, or cannot be read", path);
        to += n;
        size -= (size_t)n;
    }
}

void command_inputs(char *rest) {
    size_t index;
    char byte;
    struct tensor *input = read_input(&rest, &index);
    int64_t count = read_number(next_word(&rest), 1, 1000000);
    char *path = read_rest(rest);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) fail("file", "%s cannot be opened: %s", path, strerror(errno));
    for (int64_t k = 0; k < count; k++) read_value(file, add_value(input), input->bytes, path);
    if (read(file, &byte, 1) != 0) fail("file", "%s goes on behind its last value", path);
    close(file);
    free(path);
}

void command_forget(void) {
    for (size_t k = 0; k < model.n_inputs; k++) {
        struct tensor *input = &model.inputs[k];
        for (size_t turn = 0; turn < input->n_values; turn++) free(input->values[turn]);
        free(input->values);
        input->values = NULL;
        input->n_values = 0;
    }
}
