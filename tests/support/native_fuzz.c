/* Carries out many jobs with one worker that is linked into this program, each in a fork: no program is loaded anew.
 *
 * Standard input: for each job a length (uint32) and its bytes. Standard output: for each the status of waitpid (int32), the
 * length of the answers and of the log (uint32 each), the answers, the log. A job that takes 60 s is killed (SIGALRM). */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_LOG 4000

int worker_main(int, char **);

static unsigned char *content(int file, uint32_t *size, uint32_t most) {
    off_t end = lseek(file, 0, SEEK_END), from = end > most ? end - most : 0;
    unsigned char *data = malloc((size_t)(end - from) + 1);
    *size = (uint32_t)(end - from);
    if (pread(file, data, *size, from) != (ssize_t)*size) abort();
    return data;
}

static void carry_out(const unsigned char *job, uint32_t size) {
    int in = memfd_create("job", 0), out = memfd_create("answers", 0), err = memfd_create("log", 0);
    int32_t status;
    uint32_t n_out, n_err;
    if (write(in, job, size) != (ssize_t)size) abort();
    lseek(in, 0, SEEK_SET);
    pid_t child = fork();
    if (child == 0) {
        char *arguments[] = {"worker", NULL};
        dup2(in, 0);
        dup2(out, 1);
        dup2(err, 2);
        alarm(60);
        _exit(worker_main(1, arguments));
    }
    waitpid(child, &status, 0);
    unsigned char *answers = content(out, &n_out, UINT32_MAX), *log = content(err, &n_err, MOST_LOG);
    fwrite(&status, 4, 1, stdout);
    fwrite(&n_out, 4, 1, stdout);
    fwrite(&n_err, 4, 1, stdout);
    fwrite(answers, 1, n_out, stdout);
    fwrite(log, 1, n_err, stdout);
    fflush(stdout);
    free(answers);
    free(log);
    close(in);
    close(out);
    close(err);
}

int main(int n, char **arguments) {
    uint32_t size;
    if (n < 2 || dlopen(arguments[1], RTLD_NOW) == NULL) return 2;
    while (fread(&size, 4, 1, stdin) == 1) {
        unsigned char *job = malloc(size + 1);
        if (fread(job, 1, size, stdin) != size) return 3;
        carry_out(job, size);
        free(job);
    }
    return 0;
}
