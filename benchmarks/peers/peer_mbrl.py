"""mbrl-lib's Gaussian ensemble, 7 members of 4 x 200, on batches of 256 rows a member of 17 observations and 6 actions: gradient
updates alone, with no draw of their rows."""

import omegaconf
import torch
from mbrl.models import GaussianMLP
from window import Window, arguments

told = arguments()
torch.set_num_threads(told.threads)
torch.manual_seed(0)
activation = omegaconf.OmegaConf.create({"_target_": "torch.nn.SiLU"})
model = GaussianMLP(23, 18, "cpu", num_layers=4, ensemble_size=7, hid_size=200, activation_fn_cfg=activation)
optimiser = torch.optim.Adam(model.parameters(), 1e-3, weight_decay=5e-5)
seen, wanted = torch.randn(7, 256, 23), torch.randn(7, 256, 18)
window, updates = Window(told.seconds), 0
while updates <= 50 or not window.note(updates):
    model.update(seen, optimiser, wanted)
    updates += 1
window.tell("mbrl", "torch", "numpy")
