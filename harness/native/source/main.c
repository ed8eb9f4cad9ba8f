/* A worker that runs one model on LiteRT: it reads a job from a file or from standard input, and answers in frames.
 *
 * Exit status: 0 after `end`; 1 after a frame FAIL; 2 for wrong use; 4 where the job ends without `end`; 5 where nobody
 * reads the answers. */
#include "worker.h"

static struct setup setup;

static char read_choice(char *rest, const char *words) {
    char *word = next_word(&rest), *found = strstr(words, word);
    size_t length = strlen(word);
    no_more_words(rest);
    if (found == NULL || (found != words && found[-1] != ' ') || (found[length] != ' ' && found[length] != '\0'))
        fail_line("found %.40s, expected one of: %s", word, words);
    return *word;
}

static void set_path(char **place, char *rest) {
    if (*place) fail_line("it is set already");
    *place = read_rest(rest);
}

static void set_choice(char *place, char *rest, const char *words) {
    if (*place) fail_line("it is set already");
    *place = read_choice(rest, words);
}

static void add_option(char *rest) {
    if (setup.n_options == MOST_OPTIONS) fail_line("at most %d options are taken", MOST_OPTIONS);
    char *identifier = strdup(next_word(&rest));
    char *text = unescape(read_rest(rest));
    if (identifier == NULL) fail("memory", "there is no memory for an option");
    setup.identifiers[setup.n_options] = identifier;
    setup.texts[setup.n_options++] = text;
}

static void limit_memory(char *rest) {
    uint64_t bytes = (uint64_t)read_number(next_word(&rest), 1, 1 << 24) << 20;
    struct rlimit limit = {bytes, bytes};
    no_more_words(rest);
    if (setrlimit(RLIMIT_DATA, &limit) != 0) fail("memory", "the limit cannot be set: %s", strerror(errno));
}

static void read_deadline(char *rest) {
    unsigned seconds = (unsigned)read_number(next_word(&rest), 0, 1000000);
    no_more_words(rest);
    set_deadline(seconds);
}

/* One setting; false where the word is none. */
static bool read_setting(const char *word, char *rest) {
    if (strcmp(word, "library") == 0) set_path(&setup.library, rest);
    else if (strcmp(word, "model") == 0) set_path(&setup.model, rest);
    else if (strcmp(word, "dispatch") == 0) set_path(&setup.dispatch, rest);
    else if (strcmp(word, "plugins") == 0) set_path(&setup.plugins, rest);
    else if (strcmp(word, "accelerator") == 0) set_choice(&setup.accelerator, rest, "cpu gpu npu");
    else if (strcmp(word, "option") == 0) add_option(rest);
    else if (strcmp(word, "memory") == 0) limit_memory(rest);
    else return false;
    return true;
}

static void compile(void) {
    if (!setup.library || !setup.model || !setup.accelerator)
        fail_line("`compile` takes library, model and accelerator first");
    if ((setup.dispatch || setup.plugins) && setup.accelerator != 'n') fail_line("`dispatch` and `plugins` are an NPU's");
    compile_model(&setup);
    send_done("compile");
}

/* One command of a compiled model; false where the word is none. */
static bool read_command(const char *word, char *rest) {
    static const char *stage = "";
    if (strcmp(word, "time") != 0) end_hold();
    if (strcmp(word, "infer") == 0 && strcmp(stage, word) != 0) mark_stage(stage = "infer");
    if (strcmp(word, "time") == 0) stage = "time";
    if (strcmp(word, "infer") == 0) command_infer(rest);
    else if (strcmp(word, "time") == 0) command_time(rest);
    else if (strcmp(word, "input") == 0) command_input(rest);
    else if (strcmp(word, "inputs") == 0) command_inputs(rest);
    else if (strcmp(word, "table") == 0) command_table(rest);
    else if (strcmp(word, "cut") == 0) command_cut(rest);
    else if (strcmp(word, "operators") == 0 && setup.profile) command_operators(rest);
    else return false;
    return true;
}

/* One command that is its word alone; false where it is none. */
static bool read_word(const char *word, bool *is_over) {
    if (strcmp(word, "forget") == 0) command_forget();
    else if (strcmp(word, "whole") == 0) command_whole();
    else if (strcmp(word, "state") == 0) {
        send_state();
        send_done("state");
    } else if (strcmp(word, "end") == 0) *is_over = true;
    else return false;
    return true;
}

static void read_prefetch(char *rest) {
    int64_t size = read_number(next_word(&rest), 1, 1 << 30);
    no_more_words(rest);
    prefetch((size_t)size);
}

static bool carry_out(char *line) {
    static bool compiled;
    bool is_over = false;
    char *rest = line, *word = next_word(&rest);
    if (strcmp(word, "deadline") == 0) read_deadline(rest);
    else if (strcmp(word, "prefetch") == 0) read_prefetch(rest);
    else if (!compiled && rest == NULL && strcmp(word, "profile") == 0 && !setup.profile) setup.profile = true;
    else if (!compiled && rest == NULL && strcmp(word, "compile") == 0) {
        compile();
        compiled = true;
    } else if (compiled && rest == NULL && read_word(word, &is_over)) {
    } else if (!(compiled ? read_command(word, rest) : read_setting(word, rest)))
        fail_line("%.40s is nothing that can stand here", word);
    return !is_over;
}

static void say_hello(void) {
    struct text text = {0};
    text_line(&text, "protocol", "%d", PROTOCOL);
    text_line(&text, "build", "%s", BUILD);
#if defined(__aarch64__)
    text_line(&text, "abi", "arm64");
#else
    text_line(&text, "abi", "x86_64");
#endif
#if defined(__ANDROID__)
    text_line(&text, "os", "android");
#else
    text_line(&text, "os", "linux");
#endif
    text_line(&text, "pid", "%d", getpid());
    send_text("HELO", &text);
}

int main(int n_arguments, char **arguments) {
    static char line[MOST_LINE];
    char first[32];
    int from = 0;
    if (n_arguments > 2) return 2;
    if (n_arguments == 2 && (from = open(arguments[1], O_RDONLY | O_CLOEXEC)) < 0) return 2;
    answer_begin();
    input_begin(from);
    say_hello();
    snprintf(first, sizeof first, "harness-worker %d", PROTOCOL);
    if (!read_line(line)) _exit(4);
    if (strcmp(line, first) != 0) fail_line("found %.40s, expected %s", line, first);
    while (read_line(line))
        if (!carry_out(line)) {
            mark_stage("end");
            send_done("end");
            _exit(0);
        }
    _exit(4);
}
