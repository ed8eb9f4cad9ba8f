"""Dataset → prepared inputs → detections → COCO figures."""
