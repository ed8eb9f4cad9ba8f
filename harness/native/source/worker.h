/* What the parts of the worker share. Each function that fails ends the process with a frame that says why. */
#ifndef WORKER_H
#define WORKER_H

#include "libc.h"

#define PROTOCOL 1
#define MOST_LINE 4096
#define MOST_TENSORS 64
#define MOST_RANK 8
#define MOST_OPTIONS 16
#define UNKNOWN INT64_MIN

#ifndef BUILD
#define BUILD "unknown"
#endif

/* answer.c: frames on standard output, marks on standard error */
struct text { char *data; size_t size, room; };
void answer_begin(void);
void mark_stage(const char *stage);
void text_line(struct text *text, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
void send_frame(const char *kind, const void *payload, size_t size);
void send_text(const char *kind, struct text *text);
void send_done(const char *command);
void frame_header(const char *kind, size_t size);
void frame_bytes(const void *data, size_t size);
void frame_end(void);
bool host_is_gone(void);
void fail(const char *reason, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
void fail_call(const char *reason, const char *function, int status) __attribute__((noreturn));
void fail_line(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void set_deadline(unsigned seconds);

/* input.c: the bytes of the job */
extern long line_number;
void input_begin(int fd);
bool read_line(char *line);
void read_bytes(void *to, size_t size);
bool input_is_waiting(void);
void prefetch(size_t size);

/* words.c: numbers and words of a line */
char *next_word(char **rest);
int64_t read_number(const char *word, int64_t least, int64_t most);
double read_decimal(const char *word, double least, double most);
void no_more_words(const char *rest);
char *read_rest(char *rest);
char *unescape(char *text);

/* machine.c */
int64_t now_ns(void);
int64_t peak_bytes(void);
int64_t read_file_number(const char *path);
void send_state(void);

/* model.c: LiteRT's compiled model */
struct setup {
    char *library, *model, *dispatch, *plugins;
    char accelerator;
    int n_options;
    bool profile;
    char *identifiers[MOST_OPTIONS], *texts[MOST_OPTIONS];
};
struct tensor {
    int32_t dtype, rank, dims[MOST_RANK];
    size_t bytes, element, elements;
    void *buffer;        /* LiteRT's handle */
    unsigned char *host; /* its memory where it is the host's; else memory of ours, filled and read inside the timed part */
    bool on_host;
    unsigned char **values; /* prepared values of an input */
    size_t n_values;
};
struct model { struct tensor inputs[MOST_TENSORS], outputs[MOST_TENSORS]; size_t n_inputs, n_outputs; bool copies; };
extern struct model model;
void compile_model(const struct setup *setup);
int64_t run_model(int64_t *start); /* returns the duration in ns */
const char *profile_model(int64_t runs, double seconds);
void set_value(struct tensor *input, size_t turn);

/* measure.c, stream.c: the commands */
void end_hold(void);
void command_time(char *rest);
void command_operators(char *rest);
void command_input(char *rest);
void command_inputs(char *rest);
void command_forget(void);
void command_table(char *rest);
void command_cut(char *rest);
void command_whole(void);
void command_infer(char *rest);

#endif
