"""The process that runs a model: started anew for every measurement, so that a crash or a hang is one failed cell.

`python -m harness.worker JOB.json` reads a job, prints events as JSON text sequences (RFC 7464: a record
separator, a JSON object, a line feed) on standard output, and leaves its results as files in the job's output
folder. The latency job imports nothing but NumPy and the TFLite runtime, so that its memory is the model's,
not ours.
"""
