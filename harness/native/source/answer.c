/* Frames: four letters, a length, and so many bytes. Only frames are on the stream that was standard output; what
 * libraries print there goes to standard error. */
#include "worker.h"

static int out = -1;
static char pending[32768];
static size_t n_pending;
static volatile bool inside; /* a frame is being written: the clock's end must not put another one into it */

void answer_begin(void) {
    out = fcntl(1, F_DUPFD_CLOEXEC, 3);
    if (out < 0 || dup2(2, 1) < 0) _exit(2);
    signal(SIGPIPE, SIG_IGN);
}

static void put(const char *at, size_t size) {
    while (size > 0) {
        ssize_t n = write(out, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) _exit(5); /* nobody listens any more */
        at += n;
        size -= (size_t)n;
    }
}

static void put_pending(void) {
    size_t n = n_pending;
    n_pending = 0;
    put(pending, n);
}

/* Small pieces go out together: over adb each write is a packet of its own. */
void frame_bytes(const void *data, size_t size) {
    if (size == 0) return; /* no rows were kept: there is no memory to copy from */
    if (size > sizeof pending - n_pending) put_pending();
    if (size > sizeof pending) {
        put(data, size);
        return;
    }
    memcpy(pending + n_pending, data, size);
    n_pending += size;
}

void frame_header(const char *kind, size_t size) {
    unsigned char header[8];
    if (size > UINT32_MAX) fail("output", "an answer of %zu bytes does not fit into a frame", size);
    memcpy(header, kind, 4);
    for (int k = 0; k < 4; k++) header[4 + k] = (unsigned char)(size >> 8 * k);
    inside = true;
    frame_bytes(header, sizeof header);
}

void frame_end(void) {
    put_pending();
    inside = false;
}

void send_frame(const char *kind, const void *payload, size_t size) {
    frame_header(kind, size);
    frame_bytes(payload, size);
    frame_end();
}

void send_text(const char *kind, struct text *text) {
    send_frame(kind, text->data, text->size);
    free(text->data);
    *text = (struct text){0};
}

void send_done(const char *command) { send_frame("DONE", command, strlen(command)); }

static void add(struct text *text, const char *bytes, size_t size) {
    if (text->size + size > text->room) {
        text->room = 2 * text->room + size + 256;
        text->data = realloc(text->data, text->room);
        if (text->data == NULL) _exit(1);
    }
    memcpy(text->data + text->size, bytes, size);
    text->size += size;
}

/* Write `key value` with the value's line breaks escaped. */
static void add_line(struct text *text, const char *key, const char *format, va_list arguments) {
    char value[4 * MOST_LINE];
    vsnprintf(value, sizeof value, format, arguments);
    add(text, key, strlen(key));
    add(text, " ", 1);
    for (const char *c = value; *c; c++) {
        if (*c == '\n') add(text, "\\n", 2);
        else if (*c == '\\') add(text, "\\\\", 2);
        else add(text, c, 1);
    }
    add(text, "\n", 1);
}

void text_line(struct text *text, const char *key, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add_line(text, key, format, arguments);
    va_end(arguments);
}

void mark_stage(const char *stage) {
    char line[64];
    int n = snprintf(line, sizeof line, "ondevice-harness: stage %s\n", stage);
    if (write(2, line, (size_t)n) < 0) return; /* a log that nobody reads is no failure */
}

static void end_with(struct text *text) {
    if (!inside) send_text("FAIL", text);
    _exit(1);
}

void fail(const char *reason, const char *format, ...) {
    struct text text = {0};
    va_list arguments;
    text_line(&text, "reason", "%s", reason);
    va_start(arguments, format);
    add_line(&text, "message", format, arguments);
    va_end(arguments);
    end_with(&text);
    _exit(1);
}

void fail_line(const char *format, ...) {
    struct text text = {0};
    va_list arguments;
    text_line(&text, "reason", "job");
    va_start(arguments, format);
    add_line(&text, "message", format, arguments);
    va_end(arguments);
    text_line(&text, "line", "%ld", line_number);
    end_with(&text);
    _exit(1);
}

void fail_call(const char *reason, const char *function, int status) {
    struct text text = {0};
    text_line(&text, "reason", "%s", reason);
    text_line(&text, "message", "%s gave status %d; LiteRT's log says why", function, status);
    text_line(&text, "function", "%s", function);
    text_line(&text, "status", "%d", status);
    end_with(&text);
    _exit(1);
}

bool host_is_gone(void) {
    struct pollfd each = {out, 0, 0};
    return poll(&each, 1, 0) > 0 && (each.revents & (POLLERR | POLLHUP)) != 0;
}

/* A signal's handler: it may only write. */
static void time_is_up(int number) {
    static const char frame[] = "FAIL\x46\0\0\0reason timeout\nmessage the worker's time was up before its answer was\n";
    (void)number;
    if (!inside && write(out, frame, sizeof frame - 1) < 0) _exit(5);
    _exit(1);
}

void set_deadline(unsigned seconds) {
    signal(SIGALRM, time_is_up);
    alarm(seconds);
}
