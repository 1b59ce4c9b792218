"""From a queue's events to each owner's screen."""
