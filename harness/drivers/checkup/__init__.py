"""Checks of everything that a run needs, before there is one.

check         one check: what was found, and what to do
host          this computer
known_faults  the known faults of what is installed
quiet         how quiet this computer is
phone         a phone
own_worker    our own worker in C, on phones and boards without Python
board         a board
checkup       devices: reached, described, files and commands tried, then what their kind needs
"""
