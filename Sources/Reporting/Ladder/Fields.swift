import ByteIO
import Evaluation

/// The members of a document of JSON, read with the reason when one is not what it should be.
///
/// Numbers are checked where they are read, so that nothing that is later computed or drawn can trap.
struct Fields {
    private let json: JSON
    private let subject: String

    /// Counts and sizes beyond this are no report's, and sums of them would overflow.
    private static let largestCount = 1 << 50
    /// Likewise for figures: 10³⁰ is beyond any perplexity that could be computed.
    private static let largestFigure = 1e30

    init(_ json: JSON, _ subject: String) { (self.json, self.subject) = (json, subject) }

    func failure(_ code: FormatError.Code, _ detail: String) -> FormatError {
        FormatError(code, in: subject, at: 0, detail)
    }

    func fields(_ key: String) throws(FormatError) -> Fields {
        guard let value = json[key], value.object != nil else {
            throw failure(.missing, "has no object '\(key)'")
        }
        return Fields(value, "\(subject), '\(key)'")
    }

    /// Nil where the member is absent or null.
    func optionalFields(_ key: String) throws(FormatError) -> Fields? {
        json[key]?.isNull ?? true ? nil : try fields(key)
    }

    func value(_ key: String) throws(FormatError) -> JSON {
        guard let value = json[key] else { throw failure(.missing, "has no '\(key)'") }
        return value
    }

    func list(_ key: String) throws(FormatError) -> [Fields] {
        guard let list = json[key]?.array else { throw failure(.missing, "has no list '\(key)'") }
        return list.enumerated().map { Fields($1, "\(subject), '\(key)' \($0)") }
    }

    func strings(_ key: String) throws(FormatError) -> [String] {
        guard let list = json[key]?.array, list.allSatisfy({ $0.string != nil }) else {
            throw failure(.missing, "has no list of strings '\(key)'")
        }
        return list.compactMap(\.string)
    }

    var members: JSON.Members { json.object ?? [:] }

    func string(_ key: String) throws(FormatError) -> String {
        guard let value = json[key]?.string else { throw failure(.missing, "has no text '\(key)'") }
        return value
    }

    func optionalString(_ key: String) throws(FormatError) -> String? {
        json[key]?.isNull ?? true ? nil : try string(key)
    }

    /// SHA-256 in hexadecimal.
    func digest(_ key: String) throws(FormatError) -> String {
        let value = try string(key)
        guard value.utf8.count == 64, value.allSatisfy(\.isHexDigit) else {
            throw failure(.malformed, "'\(key)' is no SHA-256")
        }
        return value
    }

    func count(_ key: String) throws(FormatError) -> Int {
        guard let value = json[key]?.integer, (0...Self.largestCount).contains(value) else {
            throw failure(.malformed, "has no count '\(key)'")
        }
        return value
    }

    func optionalCount(_ key: String) throws(FormatError) -> Int? {
        json[key]?.isNull ?? true ? nil : try count(key)
    }

    /// Dimensions whose product is a count.
    func shape(_ key: String) throws(FormatError) -> [Int] {
        guard let list = json[key]?.array else { throw failure(.missing, "has no '\(key)'") }
        var (shape, product) = ([Int](), 1)
        for element in list {
            guard let dimension = element.integer, (0...Self.largestCount).contains(dimension)
            else {
                throw failure(.malformed, "'\(key)' is no shape")
            }
            let (larger, overflow) = product.multipliedReportingOverflow(by: max(1, dimension))
            guard !overflow, larger <= Self.largestCount else {
                throw failure(.limitExceeded, "'\(key)' has too many weights")
            }
            (product, shape) = (larger, shape + [dimension])
        }
        return shape
    }

    /// A number that is finite and not negative.
    func figure(_ key: String) throws(FormatError) -> Double {
        guard let value = json[key]?.double, (0...Self.largestFigure).contains(value) else {
            throw failure(.malformed, "has no figure '\(key)'")
        }
        return value
    }

    /// A number that is finite.
    func signedFigure(_ key: String) throws(FormatError) -> Double {
        guard let value = json[key]?.double, abs(value) <= Self.largestFigure else {
            throw failure(.malformed, "has no figure '\(key)'")
        }
        return value
    }

    func optionalFigure(_ key: String) throws(FormatError) -> Double? {
        json[key]?.isNull ?? true ? nil : try figure(key)
    }

    /// Two numbers, or nil where the member is absent or null.
    func interval(_ key: String) throws(FormatError) -> ConfidenceInterval? {
        guard let value = json[key], !value.isNull else { return nil }
        let ends = (value.array ?? []).compactMap(\.double)
        guard ends.count == 2, ends[0] <= ends[1],
            ends.allSatisfy({ abs($0) <= Self.largestFigure })
        else { throw failure(.malformed, "'\(key)' is no interval") }
        return ConfidenceInterval(lower: ends[0], upper: ends[1])
    }
}
