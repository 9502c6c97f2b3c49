"""From stored sessions and trials to tables, statistics, figures and a report.

Knows files and data frames; knows nothing of where records are stored, of servers or of models.
"""
