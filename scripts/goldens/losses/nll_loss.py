from ..case import Loss
from ..classes import Classes

# Log-probabilities are negative, but nothing checks that: a few are not.
LOSS = Loss("nll_loss", ("input",), Classes("nll_loss", low=-4, high=0.5, smoothings=[None]).cases)
