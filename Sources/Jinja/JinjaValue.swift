import OrderedCollections

/// What an expression of a template stands for.
public enum JinjaValue {
    /// A name or member that is not there; templates may ask whether, and print it as nothing.
    case undefined(name: String)
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case list([JinjaValue])
    case dictionary(OrderedDictionary<String, JinjaValue>)
    case function(JinjaFunction)
    case namespace(JinjaNamespace)
}

/// Something that a template may call.
public struct JinjaFunction {
    public let name: String
    let body: (CallArguments) throws(JinjaError) -> JinjaValue

    init(
        _ name: String, _ body: @escaping (CallArguments) throws(JinjaError) -> JinjaValue
    ) {
        (self.name, self.body) = (name, body)
    }

    /// A function of one string.
    public init(_ name: String, ofString body: @escaping (String) -> String) {
        self.init(name) { arguments throws(JinjaError) in
            .string(body(try arguments.string(0)))
        }
    }
}

/// The one kind of value that a template may change, `namespace()`: assignments to its members outlive
/// the loop that they stand in.
public final class JinjaNamespace {
    var members: OrderedDictionary<String, JinjaValue>

    init(_ members: OrderedDictionary<String, JinjaValue>) { self.members = members }
}

/// The values that a function, filter, test or method was called with.
struct CallArguments {
    /// What is called, for messages.
    let callee: String
    let line: Int
    var positional: [JinjaValue] = []
    var named: OrderedDictionary<String, JinjaValue> = [:]

    /// The argument at a place or of a name, if given.
    subscript(place: Int, name: String) -> JinjaValue? {
        place < positional.count ? positional[place] : named[name]
    }

    subscript(place: Int) -> JinjaValue? { place < positional.count ? positional[place] : nil }

    func failure(_ detail: String) -> JinjaError {
        JinjaError(.evaluation, line: line, "\(callee) \(detail)")
    }

    func string(_ place: Int, _ name: String = "") throws(JinjaError) -> String {
        guard case .string(let text)? = self[place, name] else {
            throw failure("needs a string as argument \(place + 1)")
        }
        return text
    }

    func integer(_ place: Int, _ name: String = "") throws(JinjaError) -> Int? {
        switch self[place, name] {
        case nil, JinjaValue.none?: return nil
        case .integer(let value)?: return value
        default: throw failure("needs an integer as argument \(place + 1)")
        }
    }

    /// Refuses arguments that would be ignored.
    func expect(atMost count: Int, named names: [String] = []) throws(JinjaError) {
        guard positional.count <= count else { throw failure("takes at most \(count) arguments") }
        if let other = named.keys.first(where: { !names.contains($0) }) {
            throw JinjaError(
                .unsupported, line: line, "\(callee): argument '\(other)' is not supported")
        }
    }
}
