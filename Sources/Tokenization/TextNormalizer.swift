import TensorIR

/// Normalizers ready to run, for one thread.
final class TextNormalizer {
    /// A normalizer with its expression compiled. Threads share it.
    struct Step: Sendable {
        let normalizer: Normalizer
        let expression: RegularExpression?

        static func compiled(_ normalizers: [Normalizer]) throws(ModelError) -> [Step] {
            var steps: [Step] = []
            for normalizer in normalizers {
                var expression: RegularExpression?
                switch normalizer {
                case .replace(.expression(let source), _):
                    expression = try RegularExpression(source)
                case .replace(.literal(let text), _) where !text.isEmpty:
                    expression = try RegularExpression(literal: text)
                default: break
                }
                steps.append(Step(normalizer: normalizer, expression: expression))
            }
            return steps
        }
    }

    private let steps: [(normalizer: Normalizer, matcher: RegularExpression.Matcher?)]

    init(_ steps: [Step]) throws(ModelError) {
        var prepared: [(Normalizer, RegularExpression.Matcher?)] = []
        for step in steps {
            var matcher: RegularExpression.Matcher?
            if let expression = step.expression {
                matcher = RegularExpression.Matcher(expression)
                guard matcher != nil else {
                    throw ModelError("no memory to match the normalizer's expressions")
                }
            }
            prepared.append((step.normalizer, matcher))
        }
        self.steps = prepared
    }

    /// The text after all normalizers, or nil where none changes it.
    func changed(_ text: UnsafeBufferPointer<UInt8>) throws(ModelError) -> [UInt8]? {
        var result: [UInt8]?
        for step in steps {
            if let current = result {
                let next = current.withUnsafeBufferPointer { current in
                    Result { () throws(ModelError) in try apply(step, to: current) }
                }
                result = try next.get() ?? current
            } else {
                result = try apply(step, to: text)
            }
        }
        return result
    }

    func applied(to text: [UInt8]) throws(ModelError) -> [UInt8] {
        let result = text.withUnsafeBufferPointer { text in
            Result { () throws(ModelError) in try changed(text) }
        }
        return try result.get() ?? text
    }

    private func apply(
        _ step: (normalizer: Normalizer, matcher: RegularExpression.Matcher?),
        to text: UnsafeBufferPointer<UInt8>
    ) throws(ModelError) -> [UInt8]? {
        switch step.normalizer {
        case .form(let form): return UnicodeNormalization.normalized(text, to: form)
        case .nmt: return CharacterChanges.nmt(text)
        case .lowercase: return CharacterChanges.lowercased(text)
        case .stripAccents: return CharacterChanges.withoutMarks(text)
        case .strip(let left, let right): return CharacterChanges.stripped(text, left, right)
        case .prepend(let prefix): return text.isEmpty ? nil : Array(prefix.utf8) + text
        case .replace(_, let content):
            guard let matcher = step.matcher else { return nil }
            return try TextNormalizer.replacing(matcher, in: text, with: Array(content.utf8))
        case .bert(let options): return CharacterChanges.bert(text, options)
        case .precompiled(let map): return map.applied(to: text)
        }
    }

    private static func replacing(
        _ matcher: RegularExpression.Matcher, in text: UnsafeBufferPointer<UInt8>,
        with content: [UInt8]
    ) throws(ModelError) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var spans = Spans(text, matcher)
        var hasChanged = false
        while let span = try spans.next() {
            if span.isMatch {
                result += content
                hasChanged = true
            } else {
                result += text[span.range]
            }
        }
        return hasChanged ? result : nil
    }
}
