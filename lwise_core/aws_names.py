"""Names that code on both sides of AWS agrees on: what a stack declares, and what functions, jobs and `lwise` look up.

Standard library only: it ships with the session function and with jobs.
"""

from __future__ import annotations

from typing import Literal

# Stacks.
EXPERIMENT_STACKS = "ExperimentStack-"
"""Begins the name of every study's stack, after the lab's prefix if it has one."""
STIMULUS_STACKS = "StimulusStack-"
COMPUTE_STACK = "ComputeStack"

# Stack outputs.
ADDRESS = "Address"
DOMAIN_TARGET = "DomainTarget"
LINK = "Link"
"""Begins the names of the outputs with participants' links; the platform follows."""
SESSION_TABLE = "SessionTable"
COUNTER_TABLE = "CounterTable"
DATA_BUCKET = "DataBucket"
STIMULUS_BUCKET = "StimulusBucket"
ARTEFACT_BUCKET = "ArtefactBucket"
JOB_ROLE = "JobRole"

# Environment variables of the session function.
SESSION_TABLE_ENV = "SESSION_TABLE"
COUNTER_TABLE_ENV = "COUNTER_TABLE"
DATA_BUCKET_ENV = "DATA_BUCKET"

# Fields of the session function's log lines, which metric filters count.
LOG_CALL = "call"
LOG_STATUS = "status"

# Tags.
STUDY_TAG = "lwise:study"
STACK_TAG = "lwise:stack"
SESSION_TABLE_TAG = "lwise:session-table"
COUNTER_TABLE_TAG = "lwise:counter-table"
"""The last three tag a data bucket, so that its tables can be found when the stack is gone."""
JOB_TAG = "lwise:job"
"""Its value is the kind of job; the budget of the `ComputeStack` filters by it."""
JobKind = Literal["train", "enhance", "score"]

# Folders in S3, without slashes.
EMAILS = "emails"
"""Of a data bucket: one object for each participant who left an address."""
DATASETS = "datasets"
JOBS = "jobs"
CHECKPOINTS = "checkpoints"
"""The last three are folders of the artefact bucket."""

SSM = "ssm:"
"""Begins a reference to a completion code in an SSM parameter."""
JOB_LOGS = "/aws/sagemaker/"
"""Begins the names of SageMaker's log groups and metric namespaces."""
