"""Checks of everything that a run needs, before there is one."""
