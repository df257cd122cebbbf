from pixelwright.bundle import ModelBundle as ModelBundle
from pixelwright.bundle import read_bundle as read_bundle
from pixelwright.bundle import write_bundle as write_bundle
from pixelwright.contract import PredictOptions as PredictOptions
from pixelwright.errors import PixelwrightError as PixelwrightError
from pixelwright.io.exchange import from_numpy as from_numpy
from pixelwright.io.exchange import from_opencv as from_opencv
from pixelwright.io.exchange import from_pillow as from_pillow
from pixelwright.io.exchange import to_numpy as to_numpy
from pixelwright.io.exchange import to_opencv as to_opencv
from pixelwright.io.exchange import to_pillow as to_pillow
from pixelwright.io.images import open_raster as open_raster
from pixelwright.io.images import read_image as read_image
from pixelwright.io.images import read_pages as read_pages
from pixelwright.io.images import write_image as write_image
from pixelwright.model import Execution as Execution
from pixelwright.model import Model as Model
from pixelwright.model import load as load
from pixelwright.structures.image import Color as Color
from pixelwright.structures.image import Image as Image
from pixelwright.structures.raster import Raster as Raster
from pixelwright.structures.raster import Window as Window
from pixelwright.structures.results import ClassScores as ClassScores

__version__: str
