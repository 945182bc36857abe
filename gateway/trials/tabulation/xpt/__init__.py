"""SAS transport files, version 5: one data set a file, in and out, octet for octet.

Own codec, for the libraries lose what must stay: ReadStat (pyreadstat 1.3.7) writes its own SAS version, system and
times, measures widths anew, merges the special missings into one, reads from a path and not a stream, in C, and wants a
data frame to write; a data frame of pandas has one missing number. What SAS wrote, this writes again.
Not done here: version 8 files (SAS TS-140 has a layout of its own for them), libraries of several data sets.
Sources: SAS TS-140; FDA Study Data Technical Conformance Guide, section 3.3 (one data set a file).
"""

from gateway.trials.tabulation.xpt.encodings import Encoding
from gateway.trials.tabulation.xpt.reader import encoding_of, read_xpt
from gateway.trials.tabulation.xpt.writer import write_xpt

__all__ = ["Encoding", "encoding_of", "read_xpt", "write_xpt"]
