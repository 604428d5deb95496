"""nntrain: train neural networks on CSV files from one YAML file, on NumPy.

The command line is the front door (``nntrain --help``); the classes behind it are plain Python and are imported from
their own modules, for example ``nntrain.layers.dense.Dense``.
"""

__version__ = "0.1.0"
