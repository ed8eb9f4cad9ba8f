"""Linux boards over SSH, by way of OpenSSH's own client.

device        a board behind the device protocol
session       one command on a board
conversation  one command that is written to while it is heard
files         tar streams to and from a board
link          a connection, and the watch that stands on the board while it lasts
target        hosts for OpenSSH's client, and its options
errors        why a connection failed, and what to do about it
facts         facts about a board, read from one script, and its description
discovery     boards as a list, and the profile of each
"""
