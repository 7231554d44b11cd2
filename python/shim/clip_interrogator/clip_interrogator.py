"""The module of clip-interrogator that scripts import helpers from."""

from interrogate_clip.compat import *
from interrogate_clip.compat import __all__ as __all__
