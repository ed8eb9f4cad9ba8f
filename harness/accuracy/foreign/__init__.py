"""Labels in other formats than COCO's, converted to it when they are read."""
