/* The bytes of the job: read as they are wanted, or ahead by a thread while the model runs. */
#include "worker.h"

#define CHUNK 65536

long line_number;
static int fd;
static unsigned char chunk[CHUNK];
static size_t begin, end;

/* A ring that a thread fills; `filled` and `emptied` count bytes since its start. Each side waits on what the other writes,
 * and no word is written by both. */
static unsigned char *ring;
static size_t ring_size;
static _Atomic uint64_t filled, emptied;
static _Atomic uint32_t more_is_there, more_is_free;
static _Atomic bool over;

static void wait_for(_Atomic uint32_t *news, uint32_t seen) {
    syscall(SYS_futex, news, 128L, (long)seen, NULL, NULL, 0L); /* FUTEX_WAIT, private */
}

static void tell(_Atomic uint32_t *news) {
    uint32_t next = *news + 1;
    *news = next;
    syscall(SYS_futex, news, 129L, 1L, NULL, NULL, 0L); /* FUTEX_WAKE, private */
}

void input_begin(int from) { fd = from; }

static size_t read_some(void *to, size_t size) {
    for (;;) {
        ssize_t n = read(fd, to, size);
        if (n >= 0) return (size_t)n;
        if (errno != EINTR) return 0;
    }
}

static void *fill(void *unused) {
    for (;;) {
        uint32_t seen = more_is_free;
        uint64_t at = filled, room = ring_size - (at - emptied);
        if (room == 0) {
            wait_for(&more_is_free, seen);
            continue;
        }
        size_t place = at % ring_size, most = ring_size - place;
        size_t n = read_some(ring + place, room < most ? room : most);
        if (n == 0) over = true;
        filled = at + n;
        tell(&more_is_there);
        if (n == 0) return unused;
    }
}

/* Take what the thread has read; 0 at the end. */
static size_t take(void *to, size_t size) {
    for (;;) {
        uint32_t seen = more_is_there;
        uint64_t at = emptied, there = filled - at;
        if (there > 0) {
            size_t place = at % ring_size, n = ring_size - place;
            if (n > there) n = there;
            if (n > size) n = size;
            memcpy(to, ring + place, n);
            emptied = at + n;
            tell(&more_is_free);
            return n;
        }
        if (over) return 0;
        wait_for(&more_is_there, seen);
    }
}

static size_t more(void *to, size_t size) { return ring ? take(to, size) : read_some(to, size); }

static bool refill(void) {
    begin = 0;
    end = more(chunk, CHUNK);
    return end > 0;
}

bool read_line(char *line) {
    size_t n = 0;
    for (;;) {
        if (begin == end && !refill()) {
            if (n > 0) fail("job", "the job ends in the middle of line %ld", line_number);
            return false;
        }
        char c = (char)chunk[begin++];
        if (c == '\n') break;
        if (n == 0) line_number++;
        if (c == '\0' || n == MOST_LINE - 1) fail_line("a line is too long or holds a byte that is no text");
        line[n++] = c;
    }
    if (n == 0) {
        line_number++;
        fail_line("an empty line");
    }
    line[n] = '\0';
    return true;
}

void read_bytes(void *to, size_t size) {
    unsigned char *at = to;
    size_t there = end - begin;
    if (there > size) there = size;
    memcpy(at, chunk + begin, there);
    begin += there;
    while (there < size) {
        size_t n = more(at + there, size - there);
        if (n == 0) fail_line("%zu bytes were stated and %zu came", size, there);
        there += n;
    }
}

bool input_is_waiting(void) {
    struct pollfd each = {fd, POLLIN, 0};
    if (begin < end) return true;
    if (ring) return filled != emptied || over;
    return poll(&each, 1, 0) > 0;
}

/* Start the thread. pthread_create is in LiteRT's own libraries wherever it is not in the C library itself. */
void prefetch(size_t size) {
    int (*create)(unsigned long *, const void *, void *(*)(void *), void *) = dlsym(RTLD_DEFAULT, "pthread_create");
    unsigned long thread;
    if (ring) fail_line("`prefetch` is given once");
    unsigned char *made = malloc(size);
    if (made == NULL) fail("memory", "there is no memory for %zu bytes to read ahead", size);
    ring_size = size;
    ring = made;
    if (create == NULL || create(&thread, NULL, fill, NULL) != 0) {
        ring = NULL; /* read when they are wanted, then */
        free(made);
    }
}
