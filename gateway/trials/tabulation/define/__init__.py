"""Define-XML 2.0 and 2.1: what the tables of a study are said to be; read, and turned into tables without rows.

Not done here: writing Define-XML, and the parts that a study can be loaded without (analysis results; a definition
names what was passed by in `unread`).
Sources: CDISC Define-XML 2.0 (2013) and 2.1 (2019); CDISC ODM 1.3.2.
"""

from gateway.trials.tabulation.define.reader import read_define
from gateway.trials.tabulation.define.tables import table_of

__all__ = ["read_define", "table_of"]
