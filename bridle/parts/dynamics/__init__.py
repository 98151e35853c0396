"""Learned dynamics: an ensemble of probabilistic networks, how it is fitted, how far its members agree, how it is lived in."""
