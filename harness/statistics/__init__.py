"""Pure numbers: latency, steady state, distributions, MLPerf, comparing two samples."""
