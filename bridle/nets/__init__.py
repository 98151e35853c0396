"""Modules: every leaf an array, everything else static."""
