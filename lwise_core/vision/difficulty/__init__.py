"""Other measures of how hard an image is than the robust model's logit, to compare with it."""
