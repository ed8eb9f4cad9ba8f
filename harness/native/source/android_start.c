/* Where an Android program begins: bionic's own beginning takes the stack as the kernel left it. */
#include "libc.h"

int main(int, char **, char **);
struct structors { void (**before)(void), (**first)(void), (**last)(void); size_t n_before, n_first, n_last; };
void __libc_init(void *, void (*)(void), int (*)(int, char **, char **), const struct structors *) __attribute__((noreturn));

__attribute__((used, noreturn)) static void begin(void *stack) {
    static const struct structors none; /* the linker runs what there is, and the worker leaves by _exit */
    __libc_init(stack, 0, main, &none);
}

#if defined(__aarch64__)
__asm__(".globl _start\n_start: mov x29, #0\n mov x30, #0\n mov x0, sp\n b begin\n");
#else
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
#endif
