import OrderedCollections

/// Renders nodes: what names stand for now, and the text so far.
final class Interpreter {
    /// Outermost first: the template's own names, then one for each loop or macro that is being run.
    private(set) var scopes: [OrderedDictionary<String, JinjaValue>]
    private var output = ""
    private(set) var line = 1
    private var stepCount = 0
    private var depth = 0

    /// Nodes run, which bounds the time that a template takes.
    private static let maximumStepCount = 300_000
    private static let maximumOutputSize = 1 << 26
    /// Macros within each other.
    private static let maximumDepth = 100

    private enum Flow { case next, skip, leave }

    init(_ variables: OrderedDictionary<String, JinjaValue>) {
        scopes = [Globals.standard.merging(variables) { $1 }, [:]]
    }

    func render(_ nodes: [Node]) throws(JinjaError) -> String {
        // Macros hold on to the interpreter.
        defer { scopes = [] }
        _ = try run(nodes)
        return output
    }

    private func run(_ nodes: [Node]) throws(JinjaError) -> Flow {
        for node in nodes {
            if case .text = node.kind {} else { line = node.line }
            stepCount += 1
            guard stepCount <= Interpreter.maximumStepCount,
                output.utf8.count <= Interpreter.maximumOutputSize
            else {
                throw JinjaError(.limitExceeded, line: line, "the template makes too much text")
            }
            switch node.kind {
            case .text(let text): output += text
            case .output(let expression): output += try evaluate(expression).text
            case .condition(let cases, let otherwise):
                var body = otherwise
                for (condition, nodes) in cases where try evaluate(condition).isTrue {
                    body = nodes
                    break
                }
                let flow = try run(body)
                guard flow == .next else { return flow }
            case .loop(let loop): try run(loop)
            case .set(let targets, let expression):
                try assign(try evaluate(expression), to: targets)
            case .setBlock(let target, let nodes):
                try assign(.string(try captured(nodes)), to: [target])
            case .macro(let macro): set(macro.name, .function(function(macro)))
            case .skip: return .skip
            case .leave: return .leave
            }
        }
        return .next
    }

    /// The text that nodes make, kept out of the output.
    private func captured(_ nodes: [Node]) throws(JinjaError) -> String {
        let outer = output
        output = ""
        _ = try run(nodes)
        defer { output = outer }
        return output
    }

    // MARK: Names

    private func set(_ name: String, _ value: JinjaValue) {
        scopes[scopes.count - 1][name] = value
    }

    func lookUp(_ name: String) -> JinjaValue {
        for scope in scopes.reversed() { if let value = scope[name] { return value } }
        return .undefined(name: name)
    }

    private func assign(
        _ value: JinjaValue, to targets: [Target]
    ) throws(JinjaError) {
        guard targets.count > 1 else { return try assign(value, to: targets[0]) }
        for (target, element) in zip(targets, try unpacked(value, count: targets.count)) {
            try assign(element, to: target)
        }
    }

    private func assign(_ value: JinjaValue, to target: Target) throws(JinjaError) {
        switch target {
        case .name(let name): set(name, value)
        case .attribute(let name, let member):
            guard case .namespace(let namespace) = lookUp(name) else {
                throw JinjaError(
                    .evaluation, line: line, "'\(name)' is no namespace, '\(member)' cannot be set")
            }
            namespace.members[member] = value
        }
    }

    private func unpacked(_ value: JinjaValue, count: Int) throws(JinjaError) -> [JinjaValue] {
        guard let elements = value.elements, elements.count == count else {
            throw JinjaError(
                .evaluation, line: line, "\(value.kind) does not unpack into \(count) names")
        }
        return elements
    }

    // MARK: Loops

    private func run(_ loop: Loop) throws(JinjaError) {
        let loopLine = line
        let iterated = try evaluate(loop.iterated)
        guard var elements = iterated.elements else {
            throw JinjaError(.evaluation, line: line, "'for' does not go over \(iterated.kind)")
        }
        scopes.append([:])
        defer { scopes.removeLast() }
        if let condition = loop.condition {
            var kept: [JinjaValue] = []
            for element in elements {
                try bind(element, to: loop.targets)
                if try evaluate(condition).isTrue { kept.append(element) }
            }
            elements = kept
        }
        for (index, element) in elements.enumerated() {
            scopes[scopes.count - 1] = ["loop": LoopVariable.value(index, of: elements)]
            line = loopLine
            try bind(element, to: loop.targets)
            if try run(loop.body) == .leave { break }
        }
        if elements.isEmpty {
            scopes[scopes.count - 1] = [:]
            _ = try run(loop.otherwise)
        }
    }

    private func bind(
        _ element: JinjaValue, to names: [String]
    ) throws(JinjaError) {
        guard names.count > 1 else { return set(names[0], element) }
        for (name, part) in zip(names, try unpacked(element, count: names.count)) {
            set(name, part)
        }
    }

    // MARK: Macros

    private func function(_ macro: Macro) -> JinjaFunction {
        JinjaFunction(macro.name) { arguments throws(JinjaError) in
            .string(try self.call(macro, arguments))
        }
    }

    /// A macro sees the template's own names and its parameters, not those of who calls it.
    private func call(
        _ macro: Macro, _ arguments: CallArguments
    ) throws(JinjaError) -> String {
        try arguments.expect(
            atMost: macro.parameters.count, named: macro.parameters.map(\.name))
        guard depth < Interpreter.maximumDepth else {
            throw JinjaError(.limitExceeded, line: line, "macros call each other too deeply")
        }
        depth += 1
        let outerScopes = scopes
        let outerLine = line
        scopes = Array(scopes[..<2]) + [[:]]
        defer {
            depth -= 1
            // Only the template itself sets names outside of its loops.
            scopes = outerScopes
            line = outerLine
        }
        for (place, parameter) in macro.parameters.enumerated() {
            if let value = arguments[place, parameter.name] {
                set(parameter.name, value)
            } else if let standard = parameter.standard {
                set(parameter.name, try evaluate(standard))
            } else {
                set(parameter.name, .undefined(name: parameter.name))
            }
        }
        return try captured(macro.body)
    }
}
