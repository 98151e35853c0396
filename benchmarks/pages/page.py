"""A page of results."""

from __future__ import annotations

from typing import NamedTuple

COMMON = """A row is there where its seeds have been trained to the end; the same command trains the others. Final: mean over the last tenth of
the evaluations, 10 episodes each, of the policy's mean (on-policy: of sampled actions); intervals over seeds are Student's, 95 %. Feasible: that mean cost is at most
the limit. Minutes: of one run, on one of two CPU cores, with other work beside it. The settings were tuned on other seeds."""


class Page(NamedTuple):
    """What is told of one study."""

    title: str
    study: str
    """Its file under `examples/`, and the folder of its runs."""
    about: str
    others: dict[str, dict[str, dict[str, str]]]
    """Env -> heading of a column -> figure by method, or by the algorithm's bare name."""
    flags: str = ""

    def head(self, name: str) -> str:
        """All that stands before the tables."""
        command = f"python benchmarks/learning.py {name} runs/{self.study}{self.flags}"
        return (
            f"# {self.title}\n\nMade by\n\n```sh\nbridle sweep examples/{self.study}.toml\n{command}\n```\n\n"
            f"{COMMON}\n\n{self.about}\n[Notes]({name}_notes.md): what is below the figures of others and why, and earlier studies.\n"
        )

    def place(self, env: str) -> int:
        """Where an environment stands on the page."""
        names = list(self.others)
        return names.index(env.split(",")[0]) if env.split(",")[0] in names else len(names)
