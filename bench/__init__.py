"""The benchmark: metrics, judges, splits, runs and the command line."""

__version__ = "0.1.0"
