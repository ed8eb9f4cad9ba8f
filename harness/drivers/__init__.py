"""How devices are reached: one small class a file, all behind the protocol in `base`."""
