"""Who opens what and how soon they see it, and what they keep as favourites."""
