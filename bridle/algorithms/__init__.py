"""The table of algorithms: name -> where its Config lives and what it is; imports nothing heavy."""

ALGORITHMS: dict[str, tuple[str, str]] = {
    "cvpo": ("bridle.algorithms.cvpo:Config", "Constrained variational policy optimisation (Liu et al. 2022), off-policy"),
}
