"""Read handwritten digits with a feed-forward ReLU network."""

from model.checkpoint import CheckpointError
from model.drawing import DrawingError
from model.picture import PictureError
from model.reader import Reader, Reading

__all__ = ["CheckpointError", "DrawingError", "PictureError", "Reader", "Reading"]
