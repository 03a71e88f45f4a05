"""Imported by each interpreter that has this folder in its path: it notes what it does to files, too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import operations

operations.take()
