"""Studies: from config.yaml and dirmap.csv to the trial list of any participant.

What a server needs (`study`, `conditions`, `trialset`) is standard library only. Reading and checking what people wrote
(`config`, `compile`) needs pydantic and PyYAML and happens once, before data collection.
"""
