"""Image work as jobs on SageMaker: `container` ships with every job; the other modules launch and monitor jobs."""
