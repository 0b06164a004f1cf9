"""`${…}` templates: types kept, text rendered, plain paths exact, nothing silently null."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawloom.dataflow.references import Condition, Evaluation, Template, listing, plain_path
from drawloom.errors import ExpressionInvalid, ValueInvalid

SCOPE = {
    "input": {"days": 30, "name": "Ada", "odd key": 1, "flag": True, "half": 0.5},
    "steps": {
        "late": {"rows": [{"id": 1}, {"id": 2}], "none": None, "deep": {"er": {"still": "x"}}},
        "one": {"rows": [{"id": 9}]},
        "text": "abc",
    },
    "failures": {},
    "vars": {"limit": 9007199254740991},
}


def fill(source, **options):
    return Template(source, **options).fill(SCOPE, Evaluation())


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("${input.days}", 30),
        ("${ input.days }", 30),
        ("${input.`odd key`}", 1),
        ("${vars.limit}", 9007199254740991),
        ("${steps.late.rows}", [{"id": 1}, {"id": 2}]),
        ("${steps.late.rows[1].id}", 2),
        ("${steps.late.rows.id}", [1, 2]),
        ("${steps.late.none}", None),
        ("${steps.late.deep.er.still}", "x"),
        ("${steps.text}", "abc"),
        ("for ${input.days} days, ${input.name}", "for 30 days, Ada"),
        ("${input.flag}/${input.half}", "true/0.5"),
        ("rows: ${steps.one.rows}", 'rows: [{"id":9}]'),
        ("costs $${input.days}", "costs ${input.days}"),
        ("$${a} and ${input.days}", "${a} and 30"),
        ("no reference at all: $ {} }", "no reference at all: $ {} }"),
        ("${'a}b' & \"}\"}", "a}b}"),
        ("${ {'k': {'j': input.days}} }", {"k": {"j": 30}}),
        (
            {"a": "${input.days}", "b": [1, "${input.name}"], "c": None},
            {"a": 30, "b": [1, "Ada"], "c": None},
        ),
        ({"$jsonpath": "$.steps.late.rows[*].id"}, [1, 2]),
        ({"x": {"$jsonpath": "$.steps.late.rows[?@.id > 1].id"}}, {"x": [2]}),
        ("${input.nope ?? 5}", 5),
    ],
)
def test_a_template_is_filled(source, value):
    found = fill(source)

    assert value == found and type(value) is type(found)


@pytest.mark.parametrize(
    "source",
    [
        "${input.nope}",
        "${steps.late.rows[5].id}",
        "${steps.nope.x}",
        "${steps.late.none.x}",
        "${steps.text[0].x}",
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error_with_its_path(source):
    with pytest.raises(ValueInvalid, match="leads to nothing") as caught:
        fill(source)

    assert source.strip("${}") in str(caught.value)


def test_an_index_into_text_is_not_a_character():
    assert "abc" == fill("${steps.text[0]}")  # JSONata: a value is a list of itself


def test_null_inside_text_is_an_error():
    with pytest.raises(ValueInvalid, match="null inside text"):
        fill("got ${steps.late.none}")


def test_where_a_list_is_wanted_a_list_comes():
    def wanted(pointer):
        return pointer == ("v",)

    assert {"v": [{"id": 9}]} == fill({"v": "${steps.one.rows[id > 1]}"}, wants_list=wanted)
    assert {"v": []} == fill({"v": "${steps.one.rows[id > 99]}"}, wants_list=wanted)
    assert [9] == listing("${steps.one.rows.id}").fill(SCOPE, Evaluation())
    assert [1, 2, 3] == listing("${[1..3]}").fill(SCOPE, Evaluation())


@pytest.mark.parametrize(
    ("source", "position"),
    [("${input.", 0), ("a ${b + } c", 8), ("${}", 2), ("${'open}", 0)],
)
def test_a_bad_expression_says_where(source, position):
    with pytest.raises(ExpressionInvalid) as caught:
        Template({"x": [source]})

    assert position == caught.value.position


def test_constants_are_made_anew_for_each_call():
    template = Template({"a": [1, {"b": 2}], "c": "${input.days}"})
    first = template.fill(SCOPE, Evaluation())
    first["a"][1]["b"] = "changed"

    assert {"a": [1, {"b": 2}], "c": 30} == template.fill(SCOPE, Evaluation())


def test_what_a_template_reads():
    template = Template(
        {"a": "${steps.late.rows[0].id}", "b": "x ${input.days} ${steps.one.rows[id=1]}"}
    )

    assert {
        ("steps", "late", "rows"),
        ("input", "days"),
        ("steps", "one", "rows"),
    } == template.reads


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("steps.a.b", ("steps", "a", "b")),
        (" steps.a[0].b ", ("steps", "a", 0, "b")),
        ("item", ("item",)),
        ("steps.`a b`.c", ("steps", "a b", "c")),
        ("steps.a[-1]", None),
        ("steps.a[b]", None),
        ("steps.a.*", None),
        ("other.a", None),
        ("steps..a", None),
        ("steps.a.", None),
        ("true", None),
        ("$steps.a", None),
    ],
)
def test_only_names_and_literal_indices_are_a_plain_path(source, path):
    assert path == plain_path(source)


@pytest.mark.parametrize(
    ("source", "holds"), [("input.days > 3", True), ("${input.days > 300}", False), (True, True)]
)
def test_a_condition(source, holds):
    assert holds is Condition(source).holds(SCOPE, Evaluation())


@pytest.mark.parametrize("source", ["input.days", "input.nope", "'true'", "steps.late.none"])
def test_a_condition_that_is_neither_true_nor_false_is_an_error(source):
    with pytest.raises(ValueInvalid, match=r"true or false|leads to nothing"):
        Condition(source).holds(SCOPE, Evaluation())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_a_plain_path_gives_the_very_value(value):
    scope = {"steps": {"a": {"v": value}}}

    assert Template("${steps.a.v}").fill(scope, Evaluation()) is value


@given(JSON)
def test_data_is_never_read_as_a_template(value):
    scope = {"steps": {"a": {"v": {"inner": value, "trap": "${input.days}"}}}}

    assert value == Template({"x": "${steps.a.v}"}).fill(scope, Evaluation())["x"]["inner"]
