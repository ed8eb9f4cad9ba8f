"""Recognize a bare .tflite: its card, each entry with its evidence.

find           the model that a user names
exports        models of other kinds, and what makes a .tflite of them
bundle         MediaPipe's task bundles
card           the card of a model file, inferred
family         a recognized family: its decoder, labels and preparation
registry       the recognizers, the surest evidence first
model_classes  how many classes a model has, and their names
inputs         inputs that cannot be fed with one picture
not_detectors  models that look like detectors but are none
ssd            SSD models with final outputs
final_outputs  final detections in three or four outputs of any order
mediapipe      MediaPipe's object detectors
ssd_raw        SSD models with raw heads
boxes_scores   two tensors, decoded boxes and class scores
centernet      CenterNet's raw heads
levels         YOLO heads: one grid an output
end2end        one table of final detections
dfl            NanoDet and PicoDet
yolo           YOLO models: one table
columns        the columns of a YOLO table
normalization  how pixels become input values
readings       the readings that a file leaves open
observe        readings decided by pictures and their mirror images
probe          readings decided by labeled images
chance         whether a reading beats its own boxes on other images
"""
