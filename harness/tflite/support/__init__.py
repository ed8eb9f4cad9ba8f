"""The operators that each delegate documents as supported: one table a delegate, each with its source.

rules    the language of the tables
predict  where a model will run, by the tables
xnnpack  XNNPACK
gpu      the GPU delegate
nnapi    NNAPI, by Android version
hexagon  the Hexagon delegate
edgetpu  the Coral Edge TPU
"""
