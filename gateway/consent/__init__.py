"""What a patient allows: signed terms, and the one decision made of them."""
