import Jinja
import Testing

private func render(_ source: String) throws -> String {
    try JinjaTemplate(source).render(["name": .string("Ada"), "items": .list([.integer(1)])])
}

/// What `jinja2` gives for each, with `trim_blocks` and `lstrip_blocks`.
@Test(arguments: [
    ("{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }}", "7 9"),
    ("{{ 'a' ~ 1 ~ none }}", "a1None"),
    ("{{ missing }}|{{ missing is defined }}|{{ missing | default('x') }}", "|False|x"),
    ("{{ name if name else 'nobody' }}", "Ada"),
    ("{{ 'x' if false }}", ""),
    ("{{ not true or true }} {{ 1 < 2 < 3 }} {{ 1 not in items }}", "True True False"),
    ("{{ '' or 'other' }} {{ 'both' and name }}", "other Ada"),
    ("a\n  {% if true %}\n b\n  {% endif %}\nc\n", "a\n b\nc"),
    ("a {%- if true %} b {% endif -%} c", "a b c"),
    ("a\n  {%+ if true %}b{% endif +%}\nc", "a\n  b\nc"),
    ("{# gone #}\nx {# too #} y", "x  y"),
    ("{% set x = 1 %}{% for i in [1, 2] %}{% set x = 9 %}{% endfor %}{{ x }}", "1"),
    (
        "{% set ns = namespace(x=1) %}{% for i in [1, 2] %}{% set ns.x = i %}{% endfor %}{{ ns.x }}",
        "2"
    ),
    ("{% if true %}{% set x = 'kept' %}{% endif %}{{ x }}", "kept"),
    (
        "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }}{% if not loop.last %},{% endif %}{% endfor %}",
        "3,7"
    ),
    ("{% for x in [] %}{% else %}none{% endfor %}", "none"),
    ("{% for c in 'añ🦊' %}[{{ c }}]{% endfor %}{{ 'añ🦊' | length }}", "[a][ñ][🦊]3"),
    ("{{ loop is defined }}", "False"),
    ("{{ '\\u00e9\\n\\x41' }}", "é\nA"),
    ("{{ 'it' \"'s\" }}", "it's"),
    ("{{ {'a': 1}.a }} {{ {'a': 1}['a'] }} {{ {'items': 1}.items() | length }}", "1 1 1"),
    ("{{ [3, 1] | min }} {{ [3, 1] | sum }} {{ ['b', 'b'] | unique | list }}", "1 4 ['b']"),
    ("{{ ['x', ''] | select | list }} {{ [1, 2] | reject('odd') | list }}", "['x'] [2]"),
    ("{{ 10 is divisibleby 5 }} {{ 10 is even and 1 is odd }}", "True True"),
    ("{{ 'a\nb' | indent(2) }}", "a\n  b"),
    ("{{ '<a>' | e }} {{ 'x' | upper | lower }}", "&lt;a&gt; x"),
    ("{{ ' x '.strip() }}|{{ 'xxay'.lstrip('x') }}|{{ 'a,b'.split(',')[1] }}", "x|ay|b"),
    ("{{ 'one two'.title() }} {{ 'abc'.replace('b', '') }} {{ 'abcb'.find('b') }}", "One Two ac 1"),
    ("{{ 1e3 }} {{ 2.0 }} {{ 1_000 }} {{ '3' | int + 1 }}", "1000.0 2.0 1000 4"),
    ("{{ -1 | abs }} {{ - -2 }} {{ 2 - -1 }} {{ 8 - 2 - 1 }} {{ 8 / 2 / 2 }}", "1 2 3 5 2.0"),
    ("{% generation %}kept{% endgeneration %}", "kept"),
    ("{{ '%}' }}{{ '}}' }}", "%}}}"),
])
func rendersAs(source: String, expected: String) throws {
    #expect(try render(source) == expected)
}

@Test(arguments: [
    ("{% include 'x' %}", JinjaError.Code.unsupported, "'include'"),
    ("{{ 'x' | frobnicate }}", .unsupported, "filter 'frobnicate'"),
    ("{{ 'x' is frobnicated }}", .unsupported, "test 'frobnicated'"),
    ("{{ 'x'.frobnicate() }}", .unsupported, "method 'frobnicate' of a string"),
    ("{{ frobnicate() }}", .unsupported, "function 'frobnicate'"),
    ("{{ 'x' | tojson(sort_keys=true) }}", .unsupported, "'sort_keys'"),
    ("{{ missing.member }}", .evaluation, "'missing' is undefined"),
    ("{{ 1 + 'x' }}", .evaluation, "an integer and a string"),
    ("{{ 1 // 0 }}", .evaluation, "division by zero"),
    ("{{ raise_exception('no') }}", .raised, "no"),
    ("{% if true %}", .syntax, "endif"),
    ("{% endif %}", .syntax, "endif"),
    ("{% break %}", .syntax, "not in a loop"),
    ("{{ 1 + }}", .syntax, "too early"),
    ("{{ (1 }}", .syntax, "no end"),
    ("{{ 'x }}", .syntax, "a string has no end"),
    ("{# never ends", .syntax, "a comment has no end"),
    ("{{ 9223372036854775807 + 1 }}", .limitExceeded, "too large"),
    ("{{ 'x' * 99999999999 }}", .limitExceeded, "too long"),
    ("{{ range(99999999999) }}", .limitExceeded, "too long"),
    ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", .limitExceeded, "too deeply"),
    (
        "{% for i in range(1000) %}{% for j in range(1000) %}{{ j }}{% endfor %}{% endfor %}",
        .limitExceeded, "too much text"
    ),
])
func refuses(source: String, code: JinjaError.Code, words: String) {
    #expect {
        try render("line 1\n" + source)
    } throws: { error in
        guard let error = error as? JinjaError else { return false }
        return error.code == code && error.detail.contains(words) && error.line == 2
    }
}

@Test(arguments: ["(", "[", "{'a':", "not ", "-", "1 if ", "x.y[", "1|abs is ", "x.y.", "1 + ("])
func nestingIsLimited(part: String) {
    let source = "{{ \(String(repeating: part, count: 4_000)) }}"
    #expect(throws: JinjaError.self) { try render(source) }
}

@Test(arguments: [("1 + ", "4001"), ("1 and ", "1"), ("1 ~ ", nil), ("not ", "True")])
func longChainsAreNotDeep(part: String, expected: String?) throws {
    let text = try render("{{ \(String(repeating: part, count: 4_000))1 }}")
    #expect(text == expected ?? String(repeating: "1", count: 4_001))
}

@Test func nestedStatementsAreLimited() {
    let source = String(repeating: "{% if true %}", count: 100_000)
    #expect(throws: JinjaError.self) { try render(source) }
}
