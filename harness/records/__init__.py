"""The files of a run on disk: facts, no summaries.

records    the records of cells
parts      what no row has of a record
checks     what contradicts an accuracy
figures    COCO's figures of an accuracy
files      reading many small ones
samples    timed inferences
telemetry  the machine around one process
engines    what measured a cell
status     the status of a cell, from its facts
ownership  whose a run's folder is
sealed     a checksum in a JSON file
damaged    cells that are damaged, and how a resumed run goes on without them
store      a run's folder while it is written
"""
