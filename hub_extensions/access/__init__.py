"""Who may see what: following the provider, managing groups, asking, and saying why."""
