"""Adversarial training of guide models (Madry et al. 2018): every batch is attacked before it is learned from.

`loop.train` is the way in; `config` says how to train, once for the command line and for jobs elsewhere.
"""
