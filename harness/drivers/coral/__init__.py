"""Coral Edge TPUs of this computer.

attached   Edge TPUs that are plugged in, and their library
device     an Edge TPU behind the device protocol
delegate   the delegate `edgetpu`: the TPU that it uses, and what prevents it
discovery  Edge TPUs as a list, and the profile of each
"""
