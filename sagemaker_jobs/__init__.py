"""Image work as jobs on SageMaker: the entry points of its containers, and what launches them from here."""
