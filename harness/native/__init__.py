"""Our own worker for devices without Python: a small C program that opens LiteRT's library, and what is said with it.

    job       what is sent to the worker: its settings, and the commands that follow
    protocol  what it answers: typed frames, read from a stream of bytes as they come
    programs  the built programs: which there are, whole and of this source
    build     the compiler called for each of them

`source/` is the program, `source/libc.h` what it takes of a C library and `source/litert.h` what of LiteRT.
"""
