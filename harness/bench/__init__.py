"""Plan, measure, keep: from a request to records.

request      what a user asks for: options, a plan file, Python
plan_file    a plan as a TOML file
nms_axis     one model with several settings of its suppression
against      the base that is measured in turn with them
subjects     the models and their data, found
stations     the devices, reached
odd_models   models that are there and cannot be measured
skips        why a cell is known not to work
rules        the parts of a plan that hold for some cells only
cells        models, devices and delegates crossed
unused       options that nothing in a plan would use
plan         the cells of a run, and the order of their tasks
schedule     what a run wants next
perform      one task, carried out
accuracy_checks  what is wrong with an accuracy, or missing from it
device_wait  a device that went away, waited for
known_faults  what is known beforehand of a runtime, as the status of a cell
host_check   whether a failure is this computer's, and no cell's
cell_record  the record of a cell as it grows
run          a plan on one device
review       a run's accuracies against each other, at its end
preparations  a few images prepared in other ways than the card says
observer     who is told how a run goes
estimate     about how long a cell takes
tryout       a few inferences of models that are new to this computer
kept_tries   what such inferences took, kept for the next look
detect       what a model finds in a few images, without a run
environment  what a run was made with
engines      what measures: our worker, or TFLite's native tool
"""
