"""What runs as functions on AWS: an event in, a call of `lwise_core`, an answer out."""
