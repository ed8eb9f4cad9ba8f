"""Where the error arises: tensors of both graphs matched and compared, and the cost of single layers.

layers            the errors of tensors, as data
matching          tensors of the quantized graph matched to those of the float graph
tensors           every tensor compared over real images
first_break       the first tensor that breaks
quantization_map  the quantized graph's quantization, by the float graph's tensors
emulate           the float model with parts of it quantized
sensitivity       the cost of single layers
joined_outputs    tensors in which boxes and scores lie together
"""
