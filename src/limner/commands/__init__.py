"""The verbs: each file one frozen dataclass, whose fields are the flags, and one function that wires the parts.

The functions import what they need when they are called, so that flags are parsed before PyTorch is loaded.
"""
