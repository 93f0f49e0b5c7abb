extension String {
    /// The string with control characters spelled out, fit for a terminal.
    ///
    /// Names come from files, and a file must not be able to move the cursor, change colours or
    /// hide part of a message. Long names are cut in the middle.
    public var escapedForDisplay: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate,
                .unassigned:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        guard result.count > 256 else { return result }
        return "\(result.prefix(160))…\(result.suffix(80))"
    }
}
