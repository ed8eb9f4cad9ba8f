"""The process that runs a model: another one for every measurement, so that a crash or a hang is one failed cell.

    jobs       what it is asked to do
    results    what it leaves in `result.json`
    events     what it says meanwhile
    __main__   one job, carried out
    prepared   a process that has loaded what workers need, and forks them
    resident   the pages of libraries, which a fork maps again
    parent     the process that a worker ends with
    latency    time a model
    stopping   when the inferences of a process are enough
    accuracy   run a model over images
    operators  record the times of operators
    preparations  run a model over a few images prepared in several ways
    check      the outputs of what was timed against one CPU thread's
    agreement  whether two runs gave the same outputs
    library    a delegate from a shared library
    compiled   a model that LiteRT compiled, behind the calls of an interpreter
    gpu        a model compiled for this computer's GPU
    openvino   a model compiled for Intel's OpenVINO
    emulated   a model compiled for a chip, on the vendor's emulator
    emulator_process  the emulator in a process for each core
    evidence   which nodes a delegate took
    switching  an inference right after another model's
    feeds      what is set before each inference
    tensors    the interpreter's description of its inputs and outputs
    telemetry  the state of the machine before and after
    memory     the peak of this process, and a limit for it
    litert_c   LiteRT's profiler through its C interface

`python -m harness.worker JOB.json` reads a job, prints events (see `harness.child_process`) and leaves its results as
files in the job's output folder. The latency job imports nothing but NumPy and the TFLite runtime, so that its memory
is the model's, not ours.
"""
