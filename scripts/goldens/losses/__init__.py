"""The losses, by name: each file here is one of them."""

from importlib import import_module
from pkgutil import iter_modules

LOSSES = [import_module(f".{name}", __package__).LOSS for name in sorted(module.name for module in iter_modules(__path__))]
