"""Modules that run in a process of their own, forked where what they import is loaded already: loading outlasts them.

Nothing of TensorFlow or LiteRT but their imports has run before the fork; their threads begin with the first model.
What forks is `python -m tests.support.prepared_process MODULE`: it reads a request a line, `{"argument": …, "out": …,
"err": …}`, and answers with the exit status of the process that carried it out.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path

from harness import child_process
from harness.child_process import Answer, Completed
from tests.support.paths import REPOSITORY

CONVERSION, TRIAL = "harness.conversion.child", "harness.tflite.trial"
ask_a_new_process = child_process.ask


class PreparedProcess:
    """Forks a process for each call of a module; `ask` stands for `harness.child_process.ask`."""

    def __init__(self, module):
        self.module = module
        command = [sys.executable, "-m", __spec__.name, module]
        self.parent = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, module, *arguments, timeout_s, on_event=lambda event: None) -> Answer:
        """Run the module; its events are heard when it has ended. Other modules start processes as ever."""
        if module != self.module:
            return ask_a_new_process(module, *arguments, timeout_s=timeout_s, on_event=on_event)
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            request = {"argument": str(arguments[0]), "out": str(out), "err": str(err)}
            print(json.dumps(request), file=self.parent.stdin, flush=True)
            status = int(self.parent.stdout.readline())
            said, errors = out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace")
        events = [event for event in map(child_process.parse_event, said.split("\n")) if event]
        for event in events:
            on_event(event)
        ended = Completed((module, *map(str, arguments)), status, said, errors, time.monotonic() - begin)
        return Answer(ended, {event["event"]: event for event in events}, events[-1] if events else {})

    def close(self):
        """End the process that forks."""
        self.parent.communicate(timeout=60)


def load_tensorflow():
    """Import TensorFlow as a conversion does, with what it imports on first use."""
    # private: what a conversion does first, with its settings
    tensorflow = import_module(CONVERSION)._import()
    _ = tensorflow.lite.TFLiteConverter, tensorflow.compat.v1.lite.TFLiteConverter, tensorflow.keras.layers


def load_litert():
    """Import NumPy and the runtime."""
    from harness.runtime import load_runtime

    load_runtime()


def main(module):
    """Load what a module wants, then fork a process for each request until there is none."""
    {CONVERSION: load_tensorflow, TRIAL: load_litert}[module]()
    run = import_module(module).main
    for line in sys.stdin:
        request = json.loads(line)
        process = os.fork()
        if process == 0:
            carry_out(run, request)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def carry_out(run, request):
    """Do what is asked in the child, and end without going back."""
    status = 1
    try:
        for place, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT, 0o600), place)
        status = run(request["argument"])
        sys.stderr.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        # private: no other function ends a fork without what its parent has still to do
        os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
