"""From photographs to training sets, one picture at a time: on all cores of this machine, or on many machines."""
