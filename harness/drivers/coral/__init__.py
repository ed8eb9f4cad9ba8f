"""Coral Edge TPUs on this computer."""
