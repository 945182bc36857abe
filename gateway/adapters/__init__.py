"""One file per outside thing; foreign exceptions stop here."""
