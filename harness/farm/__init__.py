"""Device farms: many hosts with many devices measure one run, on Dask distributed (extra `cluster`).

    wire        what travels between the client and a host, as data: steps, results, offers
    contents    files on a host, kept by their hash
    kept_results results on a host, kept until the client has them on its disk
    attached    which devices a host has, asked again and again
    host        a host: it offers devices and performs steps
    tasks       what Dask runs on a host
    join        `harness worker`: be a worker of a scheduler, and come back when it was lost
    hosts       what the hosts say that they offer
    security    addresses, TLS, and a warning where neither protects
    cells       a cell made into data, and into a cell again
    link        the client's connection: steps in batches, losses, the inventory of the farm
    file_transfer files to the hosts that lack them
    engine      a device of the farm as an engine that measures
    names       the devices that a user names, found on the farm
    shards      accuracy over several devices of one kind and build
    device_runs the devices' parts of a run, each serial, all at once
    session     a run on a farm from its request to its folder

The plan, the order of its tasks, what is written and when are those of a run on one computer: `harness.bench.run`
carries out each device's part on the client, and only its engine is far away. One process to start is one Dask task.
"""
