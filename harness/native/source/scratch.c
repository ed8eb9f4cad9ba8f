/* A folder for temporary files, removed however the worker ends: by a process that does nothing but wait for that. */
#include "worker.h"

#define DEEPEST 16

/* Remove what is in a folder. Links are removed, not followed. */
static void empty_folder(int folder, int depth) {
    _Alignas(8) char records[4096];
    for (;;) {
        long n = syscall(SYS_getdents64, folder, records, sizeof records);
        if (n <= 0) return;
        for (long at = 0; at < n;) {
            struct dirent64_record *each = (void *)(records + at);
            at += each->d_reclen;
            if (strcmp(each->d_name, ".") == 0 || strcmp(each->d_name, "..") == 0) continue;
            if (unlinkat(folder, each->d_name, 0) == 0 || depth == DEEPEST) continue;
            int inner = openat(folder, each->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (inner < 0) continue;
            empty_folder(inner, depth + 1);
            close(inner);
            unlinkat(folder, each->d_name, AT_REMOVEDIR);
        }
    }
}

static void remove_folder(const char *path) {
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return;
    empty_folder(folder, 0);
    close(folder);
    rmdir(path);
}

void make_scratch(const char *path) {
    int ends[2];
    char byte;
    if (mkdir(path, 0700) != 0) fail("file", "the folder %s cannot be made: %s", path, strerror(errno));
    if (pipe(ends) != 0) fail("internal", "no pipe can be made: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0) fail("internal", "no process can be started: %s", strerror(errno));
    if (child == 0) {
        setsid();
        for (int other = 0; other < 64; other++)
            if (other != ends[0]) close(other);
        while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {}
        remove_folder(path);
        _exit(0);
    }
    close(ends[0]);
    fcntl(ends[1], 2, 1); /* F_SETFD, FD_CLOEXEC: what LiteRT may start does not keep it open */
    if (setenv("TMPDIR", path, 1) != 0) fail("memory", "there is no memory for TMPDIR");
}
