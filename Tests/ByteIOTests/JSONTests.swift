import ByteIO
import Testing

private func parse(_ text: String) throws(FormatError) -> JSON {
    try JSON(parsing: Array(text.utf8), subject: "test")
}

@Test func readsEveryKindOfValue() throws {
    let text =
        #"{"a":[1,-2.5e3,true,false,null],"ü":"\u00e9\n\ud83d\ude00","big":12345678901234567890}"#
    let json = try parse(text)
    #expect(json["a"] == [1, -2500.0, true, false, nil])
    #expect(json["ü"] == "é\n😀")
    #expect(json["big"]?.double == 12_345_678_901_234_567_168)
    #expect(json.object?.keys.elements == ["a", "ü", "big"])
}

@Test(arguments: [
    "", "{", "[1,", "\"abc", "tru", "01", "1.", ".5", "-", "+1", "--1", "1e", "{\"a\" 1}", "[1 2]",
    "{a:1}", "[1]]", "\"\\x\"", "\"\\ud83d\"", "\"\u{1}\"", "{\"a\":1,}", "nul", "\"\\u12\"",
]) func refusesWhatIsNoJSON(text: String) {
    #expect(throws: FormatError.self) { try parse(text) }
}

@Test func refusesAKeyThatStandsTwice() {
    #expect { try parse(#"{"a":1,"b":2,"a":3}"#) } throws: {
        ($0 as? FormatError)?.code == .duplicateName && ($0 as? FormatError)?.offset == 13
    }
}

/// The letter omega and the unit ohm, two spellings of é, the letter K and the unit kelvin: each
/// pair is canonically equivalent, so Swift's strings call them equal.
@Test(arguments: [
    ("\u{3A9}", "\u{2126}"), ("\u{E9}", "e\u{301}"), ("K", "\u{212A}"),
    ("a name longer than fifteen bytes \u{E9}", "a name longer than fifteen bytes e\u{301}"),
]) func keysAreTheSameWhereTheirBytesAre(first: String, second: String) throws {
    #expect(first == second)
    let json = try parse("{\"\(first)\":1,\"\(second)\":2}")
    #expect(json[first] == 1)
    #expect(json[second] == 2)
    #expect(json.object?.keys.elements == [ExactString(first), ExactString(second)])
    #expect(throws: FormatError.self) { try parse("{\"\(second)\":1,\"\(second)\":2}") }
}

@Test func refusesDepthBeyondItsLimit() throws {
    let deep = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
    #expect(throws: Never.self) { try parse(deep(JSON.maximumDepth)) }
    #expect(throws: FormatError.self) { try parse(deep(JSON.maximumDepth + 1)) }
    #expect(throws: FormatError.self) { try parse(String(repeating: "[", count: 1_000_000)) }
}

@Test func refusesBytesThatAreNoText() {
    #expect(throws: FormatError.self) {
        try JSON(parsing: [UInt8(ascii: "\""), 0xFF, UInt8(ascii: "\"")], subject: "test")
    }
}

@Test(arguments: [nil, 0, 2]) func writtenTextReadsBackTheSame(indentation: Int?) throws {
    let json: JSON = [
        "empty": [], "none": [:], "text": "tab\t quote\" back\\ nul\u{0} é 😀",
        "numbers": [0, -1, 1.5, 1e-300, 3.0], "nested": [["a": nil]],
    ]
    #expect(try parse(json.text(indentation: indentation)) == json)
}

/// Numbers are read in two ways, of which the shorter is for ids; they must agree on what is one.
@Test(arguments: [
    ("[0]", JSON.integer(0)), ("[7 ]", .integer(7)), ("[49151,1]", .integer(49151)),
    ("[999999999999999999]", .integer(999_999_999_999_999_999)),
    ("[9223372036854775807]", .integer(.max)), ("[9223372036854775808]", .number(0x1p63)),
    ("[12.5]", .number(12.5)), ("[1e3]", .number(1000)), ("[-4]", .integer(-4)),
])
func readsNumbers(text: String, first: JSON) throws {
    #expect(try JSON(parsing: Array(text.utf8), subject: "test").array?.first == first)
}

@Test(arguments: ["[01]", "[00]", "[1x]", "[1", "1_0", "[1 2]"])
func refusesWhatIsNoNumber(text: String) {
    #expect(throws: FormatError.self) { try JSON(parsing: Array(text.utf8), subject: "test") }
}

@Test func refusesAKeyThatStandsTwiceInALargeObject() {
    let members = (0..<3000).map { "\"key\($0)\": \($0)" } + ["\"key7\": 1"]
    let text = "{\(members.joined(separator: ","))}"
    #expect { try JSON(parsing: Array(text.utf8), subject: "test") } throws: {
        ($0 as? FormatError)?.code == .duplicateName
    }
}

/// Bytes of every kind that a text may be wrong in; what is taken must be what the standard library takes.
@Test func aStringIsTakenWhereTheStandardLibraryTakesIt() {
    let parts: [[UInt8]] = [
        [], [0x61], [0xC4, 0xA0], [0xEF, 0xBF, 0xBD], [0xF0, 0x9F, 0x98, 0x80], [0xC1, 0xA1],
        [0xE0, 0x80, 0xA1], [0xED, 0xA0, 0x80], [0x80], [0xC4], [0xF4, 0x90, 0x80, 0x80], [0x00],
    ]
    for first in parts {
        for second in parts {
            let bytes = first + second + Array("a text of more than fifteen bytes".utf8) + first
            let text = bytes.withUnsafeBytes { String(utf8: $0) }
            #expect(text == String(validating: bytes, as: UTF8.self))
            #expect(text.map { Array($0.utf8) == bytes } ?? true)
        }
    }
}
