"""The files of a run on disk: facts, no summaries.

records    the records of cells
checks     what contradicts an accuracy
samples    timed inferences
telemetry  the machine around one process
status     the status of a cell, from its facts
ownership  whose a run's folder is
store      a run's folder while it is written
"""
