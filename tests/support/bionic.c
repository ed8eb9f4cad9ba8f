/* What a program for Android calls and glibc does not have, over glibc: compiled twice, as `libc.so` and as `libdl.so`.
 * Everything else that such a program calls has the same name and the same structures in glibc on 64-bit processors. */
#include <errno.h>
#include <stdlib.h>

extern char **environ;

int *__errno(void) { return &errno; }

void __libc_init(void **stack, void (*unused)(void), int (*begin)(int, char **, char **), const void *structors) {
    int n = (int)(long)stack[0];
    (void)unused;
    (void)structors;
    exit(begin(n, (char **)stack + 1, environ));
}
