"""The image side: data sets, guide model, training, perturbation, scoring, enhancement. Knows nothing of studies."""

import os

# PyTorch's threads synchronise thousands of times a second. If they busy-wait, other processes slow them down out of
# proportion: two parallel trainings on two cores took 146 s each, 20 s with this setting. PyTorch reads it when it is
# imported, which only the modules of this package do.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
