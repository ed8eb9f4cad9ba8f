"""Our own worker for devices without Python: a small C program that opens LiteRT's library, and what is said with it.

    job       what is sent to the worker: its settings, and the commands that follow
    protocol  what it answers: typed frames, read from a stream of bytes as they come

The program's grammar and the shape of its frames are described at the top of these two.
"""
