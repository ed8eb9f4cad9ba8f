/* The few functions of the C library that the worker calls, declared here because no headers of Android's are at hand.
 *
 * The types are those of 64-bit Linux, where bionic and glibc agree on every structure used. `android_symbols.txt` lists
 * which functions a phone with Android 5 (API 21) has; a test holds the built programs against it.
 */
#ifndef WORKER_LIBC_H
#define WORKER_LIBC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef long ssize_t;
typedef int64_t off_t;
typedef int pid_t;

struct timespec { int64_t tv_sec; int64_t tv_nsec; };
struct pollfd { int fd; short events; short revents; };
struct rlimit { uint64_t rlim_cur; uint64_t rlim_max; };

#define O_RDONLY 0
#define O_WRONLY 1
#if defined(__aarch64__)
#define SYS_futex 98L
#else
#define SYS_futex 202L
#endif
#define O_CLOEXEC 02000000
#define EINTR 4
#define POLLIN 1
#define POLLOUT 4
#define POLLERR 8
#define POLLHUP 16
#define F_DUPFD_CLOEXEC 1030
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define RLIMIT_DATA 2
#define RTLD_NOW 2
#if defined(__ANDROID__) && !defined(__LP64__)
#error "32-bit programs are not built"
#endif
#define RTLD_DEFAULT ((void *)0)
#define SIGALRM 14
#define SIGPIPE 13
#define SIG_IGN ((void (*)(int))1)

int open(const char *, int, ...);
ssize_t read(int, void *, size_t);
ssize_t write(int, const void *, size_t);
int close(int);
int dup2(int, int);
int fcntl(int, int, ...);
int poll(struct pollfd *, unsigned long, int);
pid_t getpid(void);
long syscall(long, ...);
unsigned alarm(unsigned);
void (*signal(int, void (*)(int)))(int);
int setrlimit(int, const struct rlimit *);
int clock_gettime(int, struct timespec *);
void _exit(int) __attribute__((noreturn));

void *malloc(size_t);
void *calloc(size_t, size_t);
void *realloc(void *, size_t);
void free(void *);
int posix_memalign(void **, size_t, size_t);
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
void *memchr(const void *, int, size_t);
size_t strlen(const char *);
int strcmp(const char *, const char *);
char *strchr(const char *, int);
char *strrchr(const char *, int);
char *strdup(const char *);
char *strstr(const char *, const char *);
char *strerror(int);
long strtol(const char *, char **, int);
long long strtoll(const char *, char **, int);
unsigned long long strtoull(const char *, char **, int);
double strtod(const char *, char **);
int snprintf(char *, size_t, const char *, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *, size_t, const char *, va_list);

void *dlopen(const char *, int);
void *dlsym(void *, const char *);
char *dlerror(void);

#if defined(__ANDROID__)
int *__errno(void);
#define errno (*__errno())
#else
int *__errno_location(void);
#define errno (*__errno_location())
#endif

#endif
