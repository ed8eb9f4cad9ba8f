"""The operators that each delegate documents as supported: one table a delegate, each with its source.

rules       the language of the tables
predict     where a model will run, by the tables
xnnpack     XNNPACK
gpu         the GPU delegate
litert_gpu  LiteRT's GPU accelerator
nnapi       NNAPI, by Android version
hexagon     the Hexagon delegate
qnn         Qualcomm's HTP, by LiteRT's compiler plugin
edgetpu     the Coral Edge TPU
"""
