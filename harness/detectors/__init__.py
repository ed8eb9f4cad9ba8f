"""Decode raw output tensors into detections: one small file a family of detectors, one line each in `registry`.

base             the protocol of a decoder
registry         the decoders by name
roles            the roles of outputs, by the card, the usual order, or name and shape
heads            decoders of raw heads in two halves: read candidates, keep some
nms              non-maximum suppression on the host
activations      sigmoid or softmax on raw scores
boxes            every form of a box → corners as shares of the input
anchors          the anchors of an SSD
final            checks of final detections
ssd_postprocess  SSD models with `TFLite_Detection_PostProcess`
ssd_raw          SSD models without post-processing
yolo             YOLO models: one tensor of boxes and class scores
yolo_levels      YOLO heads: one output a grid
end2end          one table of final detections
boxes_scores     two tensors, decoded boxes and class scores
centernet        CenterNet's heat map of object centers
dfl              NanoDet and PicoDet: distributions over distances
"""
