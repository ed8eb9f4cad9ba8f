"""The command line: one file a command, each parses, calls the library and prints.

start             where `harness` begins, with the front page of its help kept ready
main              the command `harness`: a table of commands, imported when used
run               `harness run`
detect            `harness detect`
report            `harness report`
runs              `harness runs`
compare           `harness compare`
evaluate          `harness evaluate`
diagnose          `harness diagnose`
inspect           `harness inspect`
models            `harness models`
devices           `harness devices`
doctor            `harness doctor`
quantize          `harness quantize`
prune             `harness prune`
resize            `harness resize`
convert           `harness convert`
edit              `harness edit`
npu               `harness npu`
edgetpu           `harness edgetpu`
worker            `harness worker`
loudness          --quiet and --verbose, which every command takes
check_engines     `run --check-engines`: the same cells by both engines
common            what all commands share: context, examples, output options
options           options made from the tables that declare them
types             option values: durations, percentages, numbers, KEY=VALUE
completion        shell completion of names and files
signals           SIGTERM and SIGHUP, which end a command as Ctrl-C does
printing          data to stdout or a file, everything else to stderr
progress          the progress of a long job, on stderr
farm_options      options of commands that reach a farm
farm_progress     the progress of a run on a farm
dry_run           `harness run --dry-run`: the cells and about how long they take
streams           streams that are closed, full, or read by nobody
report_operators  `harness report --operators`
variants          what `prune` and `resize` share
"""
