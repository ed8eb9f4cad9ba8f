"""What a vendor's own software says of its NPU, without the phone: what it takes, and why it refuses the rest.

vendor         the user's own libraries of Qualcomm's, and LiteRT's compiler plugin
license        the vendor's licence, accepted by the user
compiler       a model compiled for a chip: taken, partitions, refused
htp            the HTP backend for x86, in sessions of ONNX Runtime
context_model  a vendor's binary as an ONNX model
cpu_parts      what a compiled model leaves to the CPU, as files of its own
compiler_log   what the compiler prints, read
socs           chips, and the phones that have them
reasons        why an operator is refused, in plain words, and what helps
"""
