"""Using what was trained: the model file and the pipeline, the only door to a trained model."""

from limner.inference.model import load
from limner.inference.pictures import Pictures
from limner.inference.pipeline import Pipeline

__all__ = ["Pictures", "Pipeline", "load"]
