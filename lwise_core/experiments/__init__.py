"""Studies: from config.yaml and a dirmap to the trial list of any participant.

Standard library only: this package ships inside the function that serves participants. It holds the compiled study
(`study`, `bundle`), trial sets (`trialset`, built from `conditions`, `feasibility`, `sampling` and `choices`), and what
researchers and participants see of them (`payloads`). `lwise_core.authoring` reads and validates the files that people
write.
"""
