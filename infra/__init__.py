"""What runs on AWS, as CDK stacks and constructs. Knows AWS; knows nothing of trials or tensors."""
