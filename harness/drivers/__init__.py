"""Drivers: how devices are reached, all behind the protocol in `base`.

    base            the protocol of a device, its facts, a command that ended
    registry        the drivers by kind of connection; devices opened and listed
    names           devices by the names that users give them
    discovery       parts of the search for phones and for boards
    absent          kinds of devices that are not there, and why
    shell_device    what phones and boards have in common: retries, time limits, orphans, the store
    shell           commands and scripts in the shell of a phone or a board
    conversation    commands that are written to while they are heard
    content         files on a device, kept by their hash
    room            room on a device, and the error where there is none
    pace            how slow a file transfer may be
    local_file      a file of this computer that is written from a device
    orphans         processes on a device that outlive whoever started them
    linux_facts     facts that every Linux has
    device_python   the Python on a device, and whether our worker can run with it
    local           this computer
    local_gpu       the GPU of this computer, and what prevents its use
    local_npu       OpenVINO on this computer, and what prevents its use
    emulator        a vendor's emulator of a chip
    fake            a fake device, with faults that are injected
    adb             Android phones
    ssh             Linux boards
    coral           Edge TPUs of this computer
    checkup         checks of everything that a run needs
    benchmark_tool  TFLite's native tools: their commands and what they print

A new kind of device is one file here, one line in `registry`, and one fixture of the conformance suite.
"""
