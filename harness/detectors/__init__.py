"""Raw output tensors → detections: one small file a family of detectors, one line each in `registry`."""
