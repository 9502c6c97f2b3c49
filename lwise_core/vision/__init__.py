"""The image side: data sets, the guide model, perturbation, scoring and training. Knows nothing of trials or people."""
