from ..case import Loss
from ..regression import Regression

LOSS = Loss("mse_loss", ("input", "target"), Regression("mse_loss", settings=[{}], weighted=True).cases)
