"""The same as the command line, from Python: a function a command, which offers what its command offers.

run           `harness run`
load_results  `harness report`
compare       `harness compare`
evaluate      `harness evaluate`
detect        `harness detect`
inspect       `harness inspect`
quantize      `harness quantize`
convert       `harness convert`
diagnose      `harness diagnose`
keywords      keywords that come from a class and its table of options
frames        rows as DataFrames
"""
