"""Android phones over ADB.

device          a phone behind the device protocol
execution       one command on a phone
conversation    one command that is written to while it is heard
shell_protocol  the script of a command, and the parsers of its output
sync            file transfer
link            a connection and the streams on it
connect         connections made from addresses
server          phones that an adb server holds
usb             phones on USB, through libusb
transport       byte transports, with adb-shell's faults cured
keys            the RSA keys that a phone knows this computer by
errors          errors of adb-shell, libusb and sockets, turned into ours
facts           facts about a phone, read from one script
battery_log     samples of a phone's fuel gauge
describe        the description of a phone, made from its facts
expectations    delegates that can be expected on a phone
usb_list        phones on USB, without opening any
attached        attached phones: their states, and what to do where one cannot be used
discovery       phones as a list, and the profile of each
"""
