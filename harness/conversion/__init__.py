"""Convert TensorFlow models to TFLite; TensorFlow is imported in a child process only (`child`).

request   what a user asks of a conversion, and the job made of it
sources   what a TensorFlow source is, and whether it holds what its name says
workflow  from a request to a report: refuse early, convert, prove, write, measure
child     the child process that imports TensorFlow
inspect   facts about a TensorFlow source, found in the child process
graph_def  a graph's nodes and ends from its bytes, without TensorFlow
carving   the part of a frozen graph that TFLite can run
detection_api  the detector in a graph of the Object Detection API: cut, anchors, suppression
graph_edit     run, cut and extend a GraphDef
pipeline_config  what a `pipeline.config` says
asymmetric  int8 weights that LiteRT does not run, and what helps
other_size  a frozen graph for another input size, with its anchors anew
sizes     one source in several sizes, measured in one table
raw_heads  the model without the post-processing that was attached, beside it
facts     plain data that crosses to the child process and back
routes    which settings of TensorFlow's converter fit which graph
"""
