"""Compute the accuracy of detections: dataset → prepared inputs → detections → COCO figures.

annotations       the ground truth: a COCO `instances` file, read, checked and held as arrays
coco_json         COCO's JSON files, typed, with errors that name the entry
coco_lenient      COCO files whose values have other types than COCO's
dataset           a dataset: annotations and a folder of images
layouts           where folders of exported data sets keep annotations and images
foreign           labels in other formats than COCO's
image_places      the file of an image that annotations name
image_ids         lists of images in files, by their ids or names
image_files       images upright, in 8-bit RGB, with the annotated size
image_sizes       image sizes against the annotated ones, before anything is measured
pixel_modes       pixels of any kind as 8-bit RGB
prepare           an image file → the model's input tensor, by the card
pixel_values      pixels → the values of an input, bit for bit those of a table
opencv_resize     OpenCV's bilinear `resize`, in NumPy
interpreters      interpreters of this computer, each used by one thread at a time
pipeline          images → detections on this computer, with all cores busy
labels            class index of a model → category id of the dataset
class_names       names of classes: how they are compared, known lists, a model's
classes           classes of a model matched with categories, by name
detections        detections in COCO's result format, written and read
plausibility      detections in wrong units, noticed
misread           the usual ways to misread boxes, and what corrects each
naming            which class a model gives the objects, to find renamed ones
agnostic          AP at an overlap of 0.5 with all categories taken as one
published         a measured accuracy against the card's published one
across            one model on several delegates, whose mAPs contradict each other
preparations      whether a model finds more in images prepared in another way
doubts            whether an accuracy can be right, by these contradictions
boxes             overlap of boxes, in COCO's arithmetic
ordering          stable orders of many numbers
scene             detections and annotations in COCO's orders, and which overlap
matches           which detection found which annotation
array_curves      COCO's precision and recall, from matches of all images at once
coco              COCO's metrics
coco_engines      what computes COCO's metrics, behind one interface: ours, hotcoco, pycocotools
engine_job        what an evaluation needs and gives, as arrays in a folder
engine_process    the process of a large evaluation
curves            the curves of an evaluation: large ones in a process of their own
resample          mAP under many weightings of the images
bootstrap         intervals of an mAP and of a difference, over images
clips             images that belong together, by the names of their files
few_images        what few images do to an mAP
dataset_accuracy  the accuracy of detections on a dataset
evaluation_input  annotations, detections and image ids as users name them
evaluated         the figures of a file of detections, and what contradicts them
breakdown         AP by class and size, curves, kinds of errors
worst             the images with the most errors, drawn
"""
