"""Turn records into rows of results.

summary            a record's latency figures, from its samples
process_summaries  the same from a native tool's summaries
reading            runs as rows, a few records at a time
row_cache          rows of large reports, cached
verdict            whether a row can be trusted, and why not
beside             rows paired with what others published of the same model and device
columns            the public columns
frame              records as rows and as a DataFrame
runs               runs as rows
selection          the runs that a user names; rows sorted
published          figures that others published
same_images        whether one's own accuracy and a published one are of the same images
identity           which models are versions of one another
pareto             rows worth shipping; the change that a quantization made
operators          times of operators by kind
sustained          latency over a long run
sustained_rows     the same as rows
energy             the power that a phone drew meanwhile
"""
