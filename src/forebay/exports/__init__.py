"""What leaves forebay in somebody else's form: invoices and contracts as the datasets of FOCUS."""
