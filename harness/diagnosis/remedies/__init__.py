"""What to do about a cause: commands, and the files that `--try` makes.

remedies  remedies as commands and as data
samples   images to calibrate with
fixes     the files of a remedy
"""
