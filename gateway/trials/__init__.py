"""Clinical trials: what a study promises, captures, allocates and reports, so that each can be checked afterwards."""
