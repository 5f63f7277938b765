"""All jobs of the deck on one screen."""
