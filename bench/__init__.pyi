from bench.api import compare as compare
from bench.api import run as run
from bench.api import score as score

__version__: str
