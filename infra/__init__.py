"""CDK stacks and constructs: everything that is deployed to AWS. Knows nothing of trials or tensors."""
