import ByteIO

extension EvaluationReport {
    /// The gates as a JUnit document, one test case each, for the test pages of CI servers.
    ///
    /// Without gates there is one case, which says that the model was measured.
    public var junitText: String {
        let name = "evalppl \(model.path)"
        let cases =
            gates.isEmpty
            ? [#"    <testcase classname="evalppl" name="measured"/>"#] : gates.map(junitCase)
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites tests="\(cases.count)" failures="\(failedGates.count)" errors="0">
              <testsuite name="\(name.escapedForXML)" tests="\(cases.count)" \
            failures="\(failedGates.count)" errors="0">
            \(cases.joined(separator: "\n"))
                <system-out>\(tableText.escapedForXML)</system-out>
              </testsuite>
            </testsuites>

            """
    }

    private func junitCase(_ gate: Gate) -> String {
        let name = "\(gate.name): \(gate.figure)".escapedForXML
        let opening = #"    <testcase classname="evalppl" name="\#(name)""#
        guard !gate.isPassed else { return opening + "/>" }
        return """
            \(opening)>
                  <failure type="gate" message="\(gate.description.escapedForXML)"/>
                </testcase>
            """
    }
}

extension String {
    /// The text within XML 1.0, in elements as in attributes. What the standard has no place for, most
    /// control characters, becomes U+FFFD.
    var escapedForXML: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\t", "\n", "\r", "\u{20}"..."\u{D7FF}", "\u{E000}"..."\u{FFFD}",
                "\u{10000}"..."\u{10FFFF}":
                result.unicodeScalars.append(scalar)
            default: result += "\u{FFFD}"
            }
        }
        return result
    }
}
