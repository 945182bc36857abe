"""Tables as comma-separated text, in and out.

Types come from a table: of a definition, or of `surveyed`, which looks at the text itself.
Sources: RFC 4180; R `write.csv` (quotes around text, NA for what is missing).
"""

from gateway.trials.tabulation.csv.reader import read_csv, surveyed
from gateway.trials.tabulation.csv.records import CsvForm
from gateway.trials.tabulation.csv.writer import write_csv

__all__ = ["CsvForm", "read_csv", "surveyed", "write_csv"]
