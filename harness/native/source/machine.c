/* The state of the machine, where Linux gives it (sysfs and proc(5)); unknown is the smallest number there is. */
#include "worker.h"

#define MOST_ZONES 256
#define MOST_CPUS 256
#define PROBE_BYTES 524288
#define PROBE_ROUNDS 7

int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000 + now.tv_nsec;
}

static ssize_t read_file(const char *path, char *to, size_t room) {
    size_t done = 0;
    ssize_t n;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    while (done + 1 < room && (n = read(file, to + done, room - 1 - done)) > 0) done += (size_t)n;
    close(file);
    to[done] = '\0';
    return (ssize_t)done;
}

int64_t read_file_number(const char *path) {
    char text[64], *end;
    if (read_file(path, text, sizeof text) <= 0) return UNKNOWN;
    long long number = strtoll(text, &end, 10);
    return end == text ? UNKNOWN : number;
}

int64_t peak_bytes(void) {
    static char text[8192];
    if (read_file("/proc/self/status", text, sizeof text) <= 0) return UNKNOWN;
    const char *line = strstr(text, "VmHWM:");
    return line ? strtoll(line + 6, NULL, 10) * 1024 : UNKNOWN;
}

/* All processors' time without idle and iowait, in ns; a tick is 10 ms on every Linux there is. */
static int64_t busy_ns(void) {
    static char text[1024];
    int64_t sum = 0;
    char *at = text + 4;
    if (read_file("/proc/stat", text, sizeof text) < 5 || text[0] != 'c' || text[3] != ' ') return UNKNOWN;
    for (int k = 0; k < 8; k++) {
        long long ticks = strtoll(at, &at, 10);
        if (k != 3 && k != 4) sum += ticks;
    }
    return sum * 10000000;
}

static int64_t process_ns(void) {
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) return UNKNOWN;
    return used.tv_sec * 1000000000 + used.tv_nsec;
}

/* Time a fixed piece of arithmetic: a clock that was turned down shows there whatever the system says. */
static int64_t probe_ns(void) {
    int64_t shortest = INT64_MAX;
    static volatile uint64_t kept;
    for (int round = 0; round < PROBE_ROUNDS; round++) {
        uint64_t hash = 14695981039346656037u;
        int64_t begin = now_ns();
        for (uint32_t k = 0; k < PROBE_BYTES; k++) hash = (hash ^ (k & 255)) * 1099511628211u; /* FNV-1a */
        kept = hash;
        int64_t taken = now_ns() - begin;
        if (taken < shortest) shortest = taken;
    }
    (void)kept;
    return shortest;
}

static size_t zones(int64_t *found) {
    char path[80];
    size_t n = 0;
    for (int k = 0, missing = 0; k < MOST_ZONES && missing < 16; k++) {
        snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%d/temp", k);
        int64_t value = read_file_number(path);
        if (value == UNKNOWN) missing++;
        else if (value > 0 && value < 150000) found[n++] = value;
    }
    return n;
}

static size_t clocks(int64_t *found) {
    char path[80];
    size_t n = 0;
    for (int k = 0, missing = 0; k < MOST_CPUS && missing < 8; k++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", k);
        int64_t value = read_file_number(path);
        if (value == UNKNOWN) missing++;
        else found[n++] = value;
    }
    return n;
}

static int64_t largest(const int64_t *values, size_t n) {
    int64_t found = UNKNOWN;
    for (size_t k = 0; k < n; k++)
        if (values[k] > found) found = values[k];
    return found;
}

void send_state(void) {
    static int64_t hot[MOST_ZONES], fast[MOST_CPUS], all[10 + MOST_ZONES + MOST_CPUS];
    size_t n_hot = zones(hot), n_fast = clocks(fast), n = 0;
    all[n++] = now_ns();
    all[n++] = process_ns();
    all[n++] = peak_bytes();
    all[n++] = probe_ns();
    all[n++] = busy_ns();
    all[n++] = largest(fast, n_fast);
    all[n++] = largest(hot, n_hot);
    all[n++] = (int64_t)n_hot;
    memcpy(all + n, hot, n_hot * sizeof *hot);
    n += n_hot;
    all[n++] = (int64_t)n_fast;
    memcpy(all + n, fast, n_fast * sizeof *fast);
    n += n_fast;
    send_frame("STAT", all, n * sizeof *all);
}
