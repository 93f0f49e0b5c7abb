import OrderedCollections

/// Functions that every template has.
enum Globals {
    static var standard: OrderedDictionary<String, JinjaValue> {
        let functions = [
            JinjaFunction("raise_exception", raiseException),
            JinjaFunction("namespace") { arguments throws(JinjaError) in
                .namespace(JinjaNamespace(try members(arguments)))
            },
            JinjaFunction("dict") { arguments throws(JinjaError) in
                .dictionary(try members(arguments))
            },
            JinjaFunction("range", range),
        ]
        var names: OrderedDictionary<String, JinjaValue> = [:]
        for function in functions { names[function.name] = .function(function) }
        return names
    }

    /// How templates refuse conversations that they cannot express.
    private static func raiseException(
        _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue {
        throw JinjaError(.raised, line: arguments.line, try arguments.string(0))
    }

    private static func members(
        _ arguments: CallArguments
    ) throws(JinjaError) -> OrderedDictionary<String, JinjaValue> {
        guard arguments.positional.count <= 1 else {
            throw arguments.failure("takes at most one argument without a name")
        }
        guard let first = arguments[0] else { return arguments.named }
        guard case .dictionary(let members) = first else {
            throw arguments.failure("does not take \(first.kind)")
        }
        return members.merging(arguments.named) { $1 }
    }

    private static func range(_ arguments: CallArguments) throws(JinjaError) -> JinjaValue {
        try arguments.expect(atMost: 3)
        guard let first = try arguments.integer(0) else {
            throw arguments.failure("needs an integer")
        }
        var (start, end) = (0, first)
        if let second = try arguments.integer(1) { (start, end) = (first, second) }
        let step = try arguments.integer(2) ?? 1
        guard step != 0 else { throw arguments.failure("needs a step other than 0") }
        var numbers: [JinjaValue] = []
        for number in stride(from: start, to: end, by: step) {
            guard numbers.count < Operators.maximumCount else {
                throw JinjaError(.limitExceeded, line: arguments.line, "a range is too long")
            }
            numbers.append(.integer(number))
        }
        return .list(numbers)
    }
}

/// The name `loop` in a loop's body.
enum LoopVariable {
    static func value(_ index: Int, of elements: [JinjaValue]) -> JinjaValue {
        let count = elements.count
        let cycle = JinjaFunction("cycle") { arguments throws(JinjaError) in
            guard !arguments.positional.isEmpty else {
                throw arguments.failure("needs something to cycle through")
            }
            return arguments.positional[index % arguments.positional.count]
        }
        return .dictionary([
            "index": .integer(index + 1), "index0": .integer(index),
            "revindex": .integer(count - index), "revindex0": .integer(count - index - 1),
            "first": .bool(index == 0), "last": .bool(index == count - 1),
            "length": .integer(count),
            "previtem": index > 0 ? elements[index - 1] : .undefined(name: "previtem"),
            "nextitem": index + 1 < count ? elements[index + 1] : .undefined(name: "nextitem"),
            "cycle": .function(cycle),
        ])
    }
}
