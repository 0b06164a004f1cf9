"""Every code that a finding can have, and what it means: the source of the docs and of SARIF."""

from __future__ import annotations

RULES: dict[str, str] = {
    # The text
    "too-large": "The text has more bytes than are read.",
    "too-deep": "The document is nested deeper than is read.",
    "too-many-values": "The document holds more values than are read, aliases expanded.",
    "not-utf-8": "The text is not UTF-8.",
    "bad-character": "A character that YAML does not allow stands in the text.",
    "yaml-syntax": "The text is not YAML 1.2.",
    "json-syntax": "The text is not JSON (RFC 8259).",
    "duplicate-key": "A mapping has a key twice; readers would disagree on which one counts.",
    "key-not-text": "A key is a number, a boolean, null, a list or a mapping.",
    "merge-key": "YAML merge keys (<<) hide what a step holds, and are not read.",
    "yaml-tag": "YAML tags (!x) are not read: a chain holds plain values only.",
    "bad-alias": "A YAML alias stands for nothing, or inside itself.",
    "bad-directive": "A YAML directive asks for another version or for tags.",
    "several-documents": "A file holds one chain.",
    "bad-number": "A number is not finite, or loses digits in JSON (RFC 7493).",
    "lone-surrogate": "Half of a surrogate pair is not Unicode text (RFC 7493).",
    "too-many-findings": "So much is wrong that the check stopped looking.",
    # The structure
    "unknown-field": "A chain or a step has a field that means nothing here.",
    "missing-field": "A field that must be there is missing.",
    "wrong-type": "A field holds another type of value than it may.",
    "bad-value": "A field holds a value that it may not.",
    "bad-name": "A name cannot be used in a reference.",
    "out-of-range": "A number or duration is too small or too large.",
    "not-supported-yet": "A field or tool that a later release gives life to.",
    "no-steps": "A chain without steps does nothing.",
    # Tools and connections
    "unknown-tool": "There is no tool of that name.",
    "unknown-slot": "`on` names a connection slot that the chain does not have.",
    "wrong-slot-kind": "`on` names a slot of another kind than the tool needs.",
    "missing-on": "The tool needs a connection, and the step names none.",
    "needless-on": "The step names a connection, and the tool needs none.",
    "needless-field": "A field has no effect where it stands.",
    "unknown-input": "The tool has no such input.",
    "missing-input": "An input that the tool requires is not given.",
    "wrong-literal": "A value written in the chain does not fit the tool's input.",
    "retry-once": "A `once` tool is tried again only where nothing can have happened.",
    "resources-without-isolation": "Limits on a tool that has no process of its own limit nothing.",
    # References and expressions
    "bad-expression": "An expression or JSONPath query cannot be read.",
    "unknown-name": "An expression reads a name that is not there.",
    "unknown-variable": "An expression uses a `$name` that nobody defines.",
    "reads-everything": "An expression reads the whole scope, so that its needs are not known.",
    "unknown-step": "A reference, or `after`, names a step that is not there.",
    "unknown-output-field": "A reference reads a field that the step does not declare.",
    "unknown-property": "A reference reads an input, variable, item or run field that is not there.",
    "outside-for-each": "`item` and `index` exist only inside a `for_each` step.",
    "maybe-missing": "A reference reads what may be absent, which fails the step.",
    "does-not-fit": "A reference's value does not fit where it goes.",
    "not-a-list": "`for_each` wants a list.",
    "cycle": "Steps wait for each other, so that none of them can begin.",
    # Conditions
    "never-true": "A condition cannot be true, so the step never runs.",
    "not-a-condition": "A condition must give true or false.",
    # The input
    "bad-input-schema": "The schema of an input is not a JSON Schema (2020-12).",
    "bad-default": "The default of an input does not fit its own schema.",
    # What nobody uses
    "unused-step": "A step that only looks, and whose output nobody reads.",
    "unused-input": "An input that nobody reads.",
    "unused-connection": "A connection slot that no step names.",
    "unused-variable": "A variable that nobody reads.",
}  # fmt: skip
