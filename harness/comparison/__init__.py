"""Compare two runs and decide by a gate, which knows when the data cannot decide.

sides       the two sides of a comparison, as a user names them
match       the cells of two runs, matched
measures    the columns that can be compared with a known uncertainty
accuracy    the difference of two mAPs on the same images
design      what the order of two measurements leaves open
together    all cells decided together
compare     two results, cell by cell
expression  the conditions of a gate, parsed
gate        the decision: fail, pass or undecided
rows        a comparison as rows
junit       a gate as JUnit XML
"""
