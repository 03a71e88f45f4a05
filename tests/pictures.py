"""What tests of pictures share."""

import numpy as np
from PIL import Image


def assert_nothing_is_cut_off(path):
    """What reaches the edge of a picture goes on beyond it."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert edge.min() > 250, path.name  # a palette of few colours may have no pure white
