"""Who may ask for what: tokens, rights, accounts."""
