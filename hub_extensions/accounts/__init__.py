"""Unix accounts for people's servers, and what the servers ask the hub because of them."""
