"""What a config checks of itself."""

from dataclasses import dataclass
from typing import Literal

import pytest

from bridle.core.config import check_ranges, check_types, integer


@dataclass(frozen=True)
class Mine:
    rule: Literal["projected", "log"] = "log"
    rate: float = 1.0

    def __post_init__(self):
        check_types(self)
        check_ranges(self, {"rate": (self.rate > 0, "a number > 0")})


def test_a_word_that_is_none_of_the_choices_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="rule = 'lgo'; allowed: 'projected', 'log'; did you mean 'log'"):
        Mine(rule="lgo")


def test_a_range_that_does_not_hold_is_refused_with_what_is_allowed():
    with pytest.raises(ValueError, match="rate = -1.0; allowed: a number > 0"):
        Mine(rate=-1.0)
    assert Mine(rate=2.0).rate == 2.0


@pytest.mark.parametrize(("field", "value", "allowed"), [("rate", "1", "a number"), ("rate", True, "a number")])
def test_a_value_of_the_wrong_type_is_refused(field, value, allowed):
    with pytest.raises(ValueError, match=f"{field} = .*; allowed: {allowed}"):
        Mine(**{field: value})


@pytest.mark.parametrize(
    ("text", "number"),
    [("300_000", 300_000), ("1e6", 10**6), ("2.5e3", 2_500), ("-3", -3), ("9007199254740993", 2**53 + 1)],
)
def test_an_integer_may_be_written_as_people_write_it(text, number):
    found = integer(text)
    assert found == number and type(found) is int


@pytest.mark.parametrize("text", ["1.5", "1e-3", "1M", "many", "inf", "nan", ""])
def test_what_is_no_integer_is_refused(text):
    with pytest.raises(ValueError, match=f"^{text}; allowed: an integer, such as 300_000 or 3e5"):
        integer(text)
