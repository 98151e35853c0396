"""What flows between the rooms, and the one contract of an algorithm."""
