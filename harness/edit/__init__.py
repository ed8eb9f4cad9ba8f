"""Edit model files: set NMS, cut, attach, shapes."""
