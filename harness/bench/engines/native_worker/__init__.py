"""Our own worker in C as an engine: every sample, and whole datasets in one process, on devices without Python.

engine    the engine: it composes the others, and none of them calls back into it
program   the worker and LiteRT's library on this computer, and whether they can run a delegate
place     both on one device: their files there, one process started
shell     the shell around a process: a folder of its own, the machine before and after
session   one process: what it is sent, what it answers, how it ended
timing    a process that times a model
feeds     inputs and outputs as LiteRT orders them, and what inputs are fed with
stream    a dataset through one process
cut       the rows of outputs that can matter
evidence  what ran, from the profiler, the log and LiteRT's own word
check     outputs against one CPU thread's
"""
