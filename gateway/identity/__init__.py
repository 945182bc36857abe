"""Who asks: actors, subjects, memberships, sign-in."""
