"""Break-glass: a clinician's emergency access to one patient, told to the patient, and closed by a second person."""
