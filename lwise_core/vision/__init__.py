"""The image side: data sets, guide model, training, perturbation, scoring, enhancement. Knows nothing of studies."""

import os

# PyTorch's threads meet thousands of times a second. If they wait for one another awake, each other busy process on the
# machine costs far more than its share: two trainings at once on two cores took 146 s each, with this setting 20 s. It
# is read when PyTorch is loaded, which only the modules of this package do.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
