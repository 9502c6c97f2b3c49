"""Studies: from config.yaml and a dirmap to the trial list of any participant.

Everything here is standard library only and ships inside the function that serves participants: the compiled study
(`study`, `bundle`), trial sets (`trialset`, from `conditions`, `sampling`, `supply`, `choices` and `draws`), what is
seen of them (`views`) and the count of many (`audit`). What reads and checks the files that people write: `authoring`.
"""
