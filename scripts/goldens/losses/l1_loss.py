from ..case import Loss
from ..regression import Regression

LOSS = Loss("l1_loss", ("input", "target"), Regression("l1_loss", settings=[{}], weighted=True).cases)
