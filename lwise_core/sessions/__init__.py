"""Participants' sessions: assign a trial set, record answers, finish. Rules are here, storage is behind `SessionStore`.

Standard library only: this package ships inside the function that serves participants.
"""
