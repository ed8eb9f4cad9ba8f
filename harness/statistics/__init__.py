"""Pure numbers: latency, steady state, distributions, MLPerf, comparing two samples.

latency        summaries of timed inferences
bulk           the same of many cells at once
steady         the end of a process's warm-up
comparing      the latency of two cells compared
paired         the same, of cells that were measured in rounds
many           many comparisons decided at once
drift          processes that become slower over the rounds of a run
mlperf         MLPerf LoadGen's early stopping
distributions  the distribution functions that these need
"""
