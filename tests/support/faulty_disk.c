/* A disk that fails: what this process and its children do below one folder fails from the n-th time on.

   Loaded with LD_PRELOAD. FAULTY_DISK names a file that every process maps: it says what fails, and counts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE = 2, FSYNC = 4, RENAME = 8, CLOSE = 16, MKDIR = 32, UNLINK = 64, READ = 128 };

struct control {
  int64_t count, from, until; /* operations so far; those with from <= number < until fail */
  int32_t number, kinds;      /* what they fail with (0: nothing fails), and which kinds count */
  char folder[4096];
};

static struct control *control;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("FAULTY_DISK");
  int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
  int (*put_away)(int) = dlsym(RTLD_NEXT, "close");
  int file = name ? real(name, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *found = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  put_away(file);
  control = found == MAP_FAILED ? NULL : found;
}

static int is_below(const char *path) {
  size_t length = strlen(control->folder);
  return length && path && strncmp(path, control->folder, length) == 0;
}

/* 0: goes well; 1: the first that fails; 2: a later one. errno is set then. */
static int fails(int kind) {
  int64_t at = __sync_fetch_and_add(&control->count, 1);
  if (!control->number || at < control->from || at >= control->until) return 0;
  errno = control->number;
  return at == control->from ? 1 : 2;
}

static int path_fails(int kind, const char *path) {
  return control && control->kinds & kind && is_below(path) ? fails(kind) : 0;
}

static int file_fails(int kind, int file) {
  char link[64], path[4200];
  if (!control || !(control->kinds & kind) || !control->folder[0]) return 0;
  int kept = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = kept;
  if (length < 0) return 0;
  path[length] = 0;
  return is_below(path) ? fails(kind) : 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opening_fails(const char *path, int flags) {
  return path_fails(flags & (O_WRONLY | O_RDWR | O_CREAT) ? OPEN : READ, path);
}

#define OPENING(name)                                   \
  int name(const char *path, int flags, ...) {          \
    va_list more;                                       \
    va_start(more, flags);                              \
    mode_t mode = va_arg(more, mode_t);                 \
    va_end(more);                                       \
    if (opening_fails(path, flags)) return -1;          \
    return REAL(name)(path, flags, mode);               \
  }
OPENING(open)
OPENING(open64)

#define OPENING_AT(name)                                    \
  int name(int folder, const char *path, int flags, ...) {  \
    va_list more;                                           \
    va_start(more, flags);                                  \
    mode_t mode = va_arg(more, mode_t);                     \
    va_end(more);                                           \
    if (opening_fails(path, flags)) return -1;              \
    return REAL(name)(folder, path, flags, mode);           \
  }
OPENING_AT(openat)
OPENING_AT(openat64)

/* A disk that runs full takes a part first. */
ssize_t write(int file, const void *data, size_t length) {
  int how = file_fails(WRITE, file);
  if (how == 1 && length > 1) return REAL(write)(file, data, length / 2);
  return how ? -1 : REAL(write)(file, data, length);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t at) {
  return file_fails(WRITE, file) ? -1 : REAL(pwrite64)(file, data, length, at);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  return file_fails(WRITE, file) ? -1 : REAL(writev)(file, parts, count);
}

int ftruncate64(int file, off64_t length) {
  return file_fails(WRITE, file) ? -1 : REAL(ftruncate64)(file, length);
}

ssize_t read(int file, void *data, size_t length) {
  return file_fails(READ, file) ? -1 : REAL(read)(file, data, length);
}

ssize_t pread64(int file, void *data, size_t length, off64_t at) {
  return file_fails(READ, file) ? -1 : REAL(pread64)(file, data, length, at);
}

int fsync(int file) { return file_fails(FSYNC, file) ? -1 : REAL(fsync)(file); }

int fdatasync(int file) { return file_fails(FSYNC, file) ? -1 : REAL(fdatasync)(file); }

int close(int file) {
  int how = file_fails(CLOSE, file), number = errno;
  int ended = REAL(close)(file);
  if (!how) return ended;
  errno = number;
  return -1;
}

int rename(const char *from, const char *to) { return path_fails(RENAME, to) ? -1 : REAL(rename)(from, to); }

int renameat(int one, const char *from, int other, const char *to) {
  return path_fails(RENAME, to) ? -1 : REAL(renameat)(one, from, other, to);
}

int mkdir(const char *path, mode_t mode) { return path_fails(MKDIR, path) ? -1 : REAL(mkdir)(path, mode); }

int mkdirat(int folder, const char *path, mode_t mode) {
  return path_fails(MKDIR, path) ? -1 : REAL(mkdirat)(folder, path, mode);
}

int unlink(const char *path) { return path_fails(UNLINK, path) ? -1 : REAL(unlink)(path); }

int rmdir(const char *path) { return path_fails(UNLINK, path) ? -1 : REAL(rmdir)(path); }
