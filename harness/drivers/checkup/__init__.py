"""Checks of everything that a run needs, before there is one.

check         one check: what was found, and what to do
host          this computer
known_faults  the known faults of what is installed
quiet         how quiet this computer is
phone         a phone
board         a board
checkup       devices: reached, described, files and commands tried, then what their kind needs
"""
