"""What a run needs, looked at before there is one."""
