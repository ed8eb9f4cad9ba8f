"""What measures a cell: our own worker, which gives every sample, or TFLite's native tools, which give summaries.

base            the protocol of every engine, and what it answers
choose          which engine measures on which device
python_worker   our worker on this computer
board_worker    our worker in a board's Python
board_images    the images of a dataset on a board
bundle          our worker as one file
cell_jobs       what the worker is asked to do for a cell
worker_process  one process of the worker: started, heard, its result checked
worker_accuracy  what a worker gave for a dataset, as an engine answers
prepared        workers of this computer, forked by a process that is ready
gpu_log         what LiteRT's GPU accelerator says of itself
openvino_log    what LiteRT says while its plugin compiles for OpenVINO
emulator        a vendor's emulator of a chip
inputs          real images as inputs for timing
operators       the times of operators, as profilers print them
mixed           two engines on one device
cooldown        a device cools down before it is timed
native_worker   our worker in C, on devices without Python
native          TFLite's native tools
"""
