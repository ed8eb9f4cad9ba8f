"""Where the error arises: tensors of both graphs matched and compared, and the cost of single layers.

layers            the errors of tensors, as data
matching          tensors of the quantized graph matched to those of the float graph
tensors           every tensor compared over real images
first_break       the first tensor that breaks
quantization_map  the quantized graph's quantization, by the float graph's tensors
constants         the constants of both files compared, without inference
constant_faults   what was done to a constant that is no rounding of the float model's
stored_scales     scales and zero points that contradict their operators
stated            what both files state of their operators
emulate           the float model with parts of it quantized
sensitivity       the cost of single layers
joined_outputs    tensors in which boxes and scores lie together
"""
