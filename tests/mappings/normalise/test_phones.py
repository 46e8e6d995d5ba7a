"""Telephone numbers: the short cut must say what the library says."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mappings.normalise.numbering import plain_e164
from mappings.normalise.phones import PhoneNumber, normalise_phone, phone_by_library, split_phones

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
USUAL = ["CN", "US", "GB", "DE", "FR", "IT", "BR", "JP", "HK", "TW", "IN", "AU", "CA", "RU", "MX", "AR", "SG", "KR"]
KINDS = [
    phonenumbers.PhoneNumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE,
    phonenumbers.PhoneNumberType.TOLL_FREE,
]


@st.composite
def numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A number near a real one of some region, as somebody in some (other) region may write it."""
    region = draw(st.sampled_from(USUAL) | st.sampled_from(REGIONS))
    seed = phonenumbers.example_number_for_type(region, draw(st.sampled_from(KINDS))) or phonenumbers.example_number(
        region
    )
    digits = list(phonenumbers.national_significant_number(seed)) if seed else ["1"] * 8
    for _ in range(draw(st.integers(0, 3))):
        digits[draw(st.integers(0, len(digits) - 1))] = draw(st.sampled_from("0123456789"))
    if draw(st.integers(0, 9)) == 0:
        digits.insert(draw(st.integers(0, len(digits))), draw(st.sampled_from("0123456789")))
    code = str(phonenumbers.country_code_for_region(region))
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
    prefix = draw(
        st.sampled_from(["", trunk, f"+{code}", code, f"00{code}", f"+{code}{trunk}", f"011{code}", "0", "1"])
    )
    text = prefix + "".join(digits)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(" -.()")) + text[at:]
    return text, draw(st.sampled_from([region, region, *USUAL]))


@pytest.mark.slow
@settings(max_examples=3_000, deadline=None)
@given(numbers())
@example(("0 11 15 1234 5678", "AR"))
@example(("+39 06 12345678", "DE"))
@example(("8610 62345678", "CN"))
@example(("(0)39 12345678", "IT"))
@example(("1 202 456 1111", "US"))
@example(("+1 684 622 1234", "US"))
@example(("+44 1481 256789", "GB"))
@example(("", "CN"))
@example(("+", "CN"))
def test_the_short_cut_never_differs_from_the_library(number: tuple[str, str]) -> None:
    text, region = number
    short = plain_e164(text, region)
    if short is not None:
        assert phone_by_library(text, region) == PhoneNumber(short, None, True)


def test_the_short_cut_takes_nearly_all_ordinary_numbers() -> None:
    texts = [("139 1234 5678", "CN"), ("0755-86013388", "CN"), ("+86 755 8601 3388", "US"), ("020 7946 0958", "GB"),
             ("(202) 456-1111", "US"), ("416-967-1111", "US"), ("030 1234567", "DE"), ("+33 1 44 71 94 94", "CN"),
             ("06 6982 1234", "IT"), ("044 668 18 00", "CH")]  # fmt: skip
    assert [text for text, region in texts if plain_e164(text, region) is None] == []


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("139 1234 5678", "CN", PhoneNumber("+8613912345678", None, True)),
        ("（０７５５）８６０１３３８８", "CN", PhoneNumber("+8675586013388", None, True)),
        ("0755—86013388", "CN", PhoneNumber("+8675586013388", None, True)),
        ("0086 139 1234 5678", "CN", PhoneNumber("+8613912345678", None, True)),
        ("86-13912345678", "CN", PhoneNumber("+8613912345678", None, True)),
        ("0755-86013388-8001", "CN", PhoneNumber("+8675586013388", "8001", True)),
        ("0755-86013388转8001", "CN", PhoneNumber("+8675586013388", "8001", True)),
        ("0755-86013388（分机：8001）", "CN", PhoneNumber("+8675586013388", "8001", True)),
        ("+1 202 456 1111 ext. 12", None, PhoneNumber("+12024561111", "12", True)),
        ("tel:+12024561111", None, PhoneNumber("+12024561111", None, True)),
        ("030/1234567", "DE", PhoneNumber("+49301234567", None, True)),
        ("95588", "CN", PhoneNumber("95588", None, False)),
        ("13912345678", None, PhoneNumber("13912345678", None, False)),
        ("13912345678", "XX", PhoneNumber("13912345678", None, False)),
        ("no phone", "CN", None),
        ("12", "CN", None),
        ("1" * 500, "CN", None),
    ],
)
def test_a_number_is_read_as_dialled_in_its_region(text: str, region: str | None, expected: PhoneNumber | None) -> None:
    assert normalise_phone(text, region) == expected


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("13912345678/0755-86013388", "CN", ["+8613912345678", "+8675586013388"]),
        ("13912345678 13812345678", "CN", ["+8613912345678", "+8613812345678"]),
        ("13912345678、13812345678或13912345678", "CN", ["+8613912345678", "+8613812345678"]),
        ("0755-86013388转8001，13912345678", "CN", ["+8675586013388", "+8613912345678"]),
        ("030/1234567", "DE", ["+49301234567"]),
        ("030/1234567; +49 89 12345678, ext 5", "DE", ["+49301234567", "+498912345678"]),
        ("", "CN", []),
        ("unknown", "CN", []),
    ],
)
def test_several_numbers_in_one_field_are_told_apart(text: str, region: str, expected: list[str]) -> None:
    assert [number.value for number in split_phones(text, region)] == expected


def test_an_extension_stays_with_its_number() -> None:
    assert split_phones("030/1234567; +49 89 12345678, ext 5", "DE")[1].extension == "5"


@settings(deadline=None)
@given(st.text(max_size=300), st.sampled_from(["CN", "US", None, "??"]))
def test_any_text_is_survived_and_what_is_found_is_a_number(text: str, region: str | None) -> None:
    for number in [normalise_phone(text, region), *split_phones(text, region)]:
        if number is not None:
            assert number.value.lstrip("+").isdigit()
            assert len(number.value) <= 40
            assert len(number.extension or "") <= 12


@settings(deadline=None)
@given(numbers())
def test_normalising_twice_changes_nothing(number: tuple[str, str]) -> None:
    once = normalise_phone(*number)
    if once is not None and once.valid:
        assert normalise_phone(once.value, number[1]) == PhoneNumber(once.value, None, True)


ROUNDED = [
    "1.38E+10",
    "1.38E10",
    "1.38e+10",
    "1.38001E+10",
    "8.61E+12",
    "+8.61E+12",
    "1,38E+10",
    "１.３８Ｅ+10",
    "1E+10",
]


@pytest.mark.parametrize("text", ROUNDED)
def test_a_number_that_a_spreadsheet_has_rounded_is_no_number(text: str) -> None:
    assert normalise_phone(text, "CN") is None
    assert split_phones(text, "CN") == []


@pytest.mark.parametrize("text", ["1.3800138000E+10", "8.613800138000E+12", "+8.613800138000e+12", "13800138000.0"])
def test_one_that_kept_all_its_digits_is_the_number_it_was(text: str) -> None:
    assert normalise_phone(text, "CN") == PhoneNumber("+8613800138000", None, True)


@pytest.mark.parametrize("text", ["1.38E+10/0755-86013388", "0755-86013388，1.38E+10", "1.38E+10; 0755-86013388"])
def test_a_rounded_number_does_not_harm_the_one_beside_it(text: str) -> None:
    assert {number.value for number in split_phones(text, "CN")} == {"+8675586013388"}


@given(st.integers(7, 16), st.integers(0, 10**17 - 1), st.integers(0, 17))
def test_no_digits_are_ever_made_up(power: int, digits: int, kept: int) -> None:
    written = str(digits)[:kept]
    text = f"1.{written}E+{power}" if written else f"1E+{power}"
    found = normalise_phone(text, "CN")
    assert found is None or found.value.removeprefix("+86").endswith(("1" + written)[-5:])
    assert found is None or len(written) == power
