"""Google's Edge TPU compiler: run it, read what it says, and say what that means."""
