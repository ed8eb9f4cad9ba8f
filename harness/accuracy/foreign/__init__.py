"""Convert labels in other formats to COCO's when they are read.

convert       labels of another format → a COCO annotations file in the cache
yolo          YOLO's data.yaml and text files
data_yaml     the part of YAML that a data.yaml uses
voc           Pascal VOC's XML files
xml_tree      XML as a small tree with line numbers, without entities
tfrecord      TFRecord files of the Object Detection API
records       records and their Examples, by the wire format
record_names  names of their images, which tell those apart that are called alike
label_map     label maps (.pbtxt)
"""
