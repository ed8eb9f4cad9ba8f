"""Run Google's Edge TPU compiler, read its log, and explain it.

compiler  the compiler, run
log       its log, read
coverage  what is mapped to the Edge TPU, of operators and of work
compare   two logs, operator by operator
advice    what a log means, and what helps
"""
