"""From photographs to training sets, one picture at a time: on all cores of this machine, or on many machines."""

MAX_PIXELS = 256_000_000  # by default; what is larger is not a photograph, and every core may hold one
