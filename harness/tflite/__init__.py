""".tflite files as data: read, describe, inspect.

schema             the generated classes of the TFLite schema
reader             a file read into a graph, whatever its bytes are
graph              a file as frozen values
nodes              the primary subgraph's operators with their options
tensor_info        facts about an input or output
values             stored integers ↔ real values
quantization       how a model is quantized, with the evidence
metadata           what the file's own metadata states
detector_metadata  MediaPipe's anchors and coding
computed_sizes     tensors whose size is known only while a graph runs
postprocess        the options of `TFLite_Detection_PostProcess`
anchors            the anchors among a file's constants
model              a description of a file
trace              tensors traced back through a graph
costs              multiply-accumulates, parameters and bytes of operators
runnable           whether a runtime has a model's operators
lineage            what a model was made from, by hashes
trial              a model run once, in a process of its own
inspect            `harness inspect`
compiled           what a vendor's compiler took of a model for its NPU
signed_reshapes    tensors that QNN's HTP backend reads wrongly
known_faults       faults of runtimes that graph, threads, delegate and version tell of beforehand
fault_conditions   what a model must be like to have them
support            which operators each delegate takes
"""
