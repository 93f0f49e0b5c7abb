import Generation
import TestSupport
import Testing

/// All that comes out of a text that comes in pieces.
private func through(_ pieces: [String], _ stops: [String]) -> (text: String, isFound: Bool) {
    var strings = StopStrings(stops)
    var text = ""
    for piece in pieces { text += strings.append(piece) }
    return (text + strings.finish(), strings.isFound)
}

@Test(arguments: [
    ("one two three", ["two"], "one ", true),
    ("one two three", ["four"], "one two three", false),
    ("aaab", ["aab"], "a", true),
    ("abcabd", ["abd", "xyz"], "abc", true),
    ("ends with half a st", ["stop"], "ends with half a st", false),
    ("Grüße 🦊🦊", ["🦊"], "Grüße ", true),
    ("text", [], "text", false),
    ("both", ["th", "oth"], "b", true),
])
func textBeforeAStopStringComesThrough(
    text: String, stops: [String], expected: String, isFound: Bool
) {
    for width in 1...5 {
        var pieces: [String] = []
        var rest = text[...]
        while !rest.isEmpty {
            pieces.append(String(rest.prefix(width)))
            rest = rest.dropFirst(width)
        }
        #expect(through(pieces, stops) == (expected, isFound))
    }
}

@Test func nothingIsHeldBackWithoutNeed() {
    var strings = StopStrings(["END"])
    #expect(strings.append("the E") == "the ")
    #expect(strings.append("N") == "")
    #expect(strings.append("O") == "ENO")
    #expect(strings.append("END") == "")
    #expect(strings.isFound && strings.append("more") == "")
}
