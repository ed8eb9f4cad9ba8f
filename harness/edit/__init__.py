"""Edit model files: set NMS, cut, attach, shapes.

files          an edit of a file: read, change, run once, write
nms            the options of PostProcess
shapes         the options of PostProcess, and the output shapes that depend on them
relu           a fused ReLU6 replaced where ReLU is the same
cut            PostProcess taken off
attach         PostProcess appended
graph          parts of the primary subgraph replaced
flatbuffer     tables of a .tflite rewritten
check          an edited model, run once
card_settings  entries of a card changed by KEY=VALUE
card_toml      cards written as TOML
"""
