"""Device farms: many hosts with many devices measure one run, on Dask distributed (extra `cluster`).

    wire           the messages between the client and a host, as data: steps, results, offers
    contents       files on a host, kept by their hash
    kept_results   results on a host, kept until the client has them on its disk
    attached       the devices that are attached to a host, found again and again
    host           a host: it offers devices and performs steps
    tasks          the functions that Dask runs on a host
    join           `harness worker`: be a worker of a scheduler, and join again when it was lost
    hosts          the hosts' answers: what each offers, and why one cannot be used
    security       addresses, TLS, and a warning where neither protects
    cells          a cell made into data, and into a cell again
    batches        steps sent in batches, results fetched in batches
    greeting       whether a Dask scheduler is there at all, and Dask's tracebacks kept quiet
    link           the client's connection: which host offers which device, and steps repeated after losses
    file_transfer  files sent to the hosts that lack them
    names          the devices that a user names, found on the farm
    shards         the images of a cell divided among devices of one kind and build
    engine         the engine that measures on a device of the farm
    device_runs    each device's part of a run, serial on the device, all devices at once
    session        a run on a farm from its request to its folder

The plan, the order of its tasks, what is written and when are those of a run on one computer: `harness.bench.run`
carries out each device's part on the client, and only its engine is far away. One process to start is one Dask task.
"""
