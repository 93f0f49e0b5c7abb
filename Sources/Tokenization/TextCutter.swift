import TensorIR

/// A step of the pre-tokenizer with its expression compiled.
enum CuttingStep: Sendable {
    case split(RegularExpression, SplitBehavior, isInverted: Bool)
    /// Bytes take their spellings; only where more steps follow, which then see those.
    case spell
    case prefixSpace
    /// A space is spelled as a character of its own.
    case metaspace(MetaspaceOptions)

    static func compiled(_ steps: [PreTokenizerStep]) throws(ModelError) -> [CuttingStep] {
        var result: [CuttingStep] = []
        for (index, step) in steps.enumerated() {
            if case .byteLevel(addsPrefixSpace: true, _) = step { result.append(.prefixSpace) }
            for split in step.splits {
                let expression =
                    switch split.pattern {
                    case .literal(let text): try RegularExpression(literal: text)
                    case .expression(let source): try RegularExpression(source)
                    }
                result.append(.split(expression, split.behavior, isInverted: split.isInverted))
            }
            if case .metaspace(let options) = step { result.append(.metaspace(options)) }
            if case .byteLevel = step, index < steps.count - 1 { result.append(.spell) }
        }
        return result
    }
}

/// Cuts texts into words, for one thread.
///
/// A text goes through the steps depth first, each piece on its own: nothing is held but the piece
/// that is being cut.
final class TextCutter {
    /// Receives a word; `isSpelled` where its bytes have taken their spellings.
    typealias WordReceiver = (
        _ word: UnsafeBufferPointer<UInt8>, _ isSpelled: Bool
    ) throws(ModelError) -> Void

    private let steps: [CuttingStep]
    private let matchers: [RegularExpression.Matcher?]

    init(_ steps: [CuttingStep]) throws(ModelError) {
        self.steps = steps
        var matchers: [RegularExpression.Matcher?] = []
        for step in steps {
            guard case .split(let expression, _, _) = step else {
                matchers.append(nil)
                continue
            }
            guard let matcher = RegularExpression.Matcher(expression) else {
                throw ModelError("no memory to match the pre-tokenizer's expressions")
            }
            matchers.append(matcher)
        }
        self.matchers = matchers
    }

    /// What a piece of text has behind it.
    private struct State {
        /// Whether its bytes have taken their spellings.
        var isSpelled = false
        /// Whether nothing stands before it.
        var isAtStart: Bool
    }

    /// Hands the words of a text to `receive`, in order.
    func cut(
        _ text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, _ receive: WordReceiver
    ) throws(ModelError) {
        try cut(text, from: 0, State(isAtStart: isAtStart), receive)
    }

    private func cut(
        _ text: UnsafeBufferPointer<UInt8>, from step: Int, _ state: State,
        _ receive: WordReceiver
    ) throws(ModelError) {
        guard !text.isEmpty else { return }
        guard step < steps.count else { return try receive(text, state.isSpelled) }
        switch steps[step] {
        case .split(_, let behavior, let isInverted):
            guard let matcher = matchers[step] else { return }
            var spans = Spans(text, matcher)
            // By far the most common last step, in a loop of its own.
            if step + 1 == steps.count, behavior == .isolated {
                while let span = try spans.next() {
                    guard !span.range.isEmpty else { continue }
                    try receive(
                        UnsafeBufferPointer(rebasing: text[span.range]), state.isSpelled)
                }
                return
            }
            try split(&spans, behavior, isInverted) { range throws(ModelError) in
                var state = state
                state.isAtStart = state.isAtStart && range.lowerBound == 0
                try cut(
                    UnsafeBufferPointer(rebasing: text[range]), from: step + 1, state, receive)
            }
        case .prefixSpace:
            guard text[0] != UInt8(ascii: " ") else {
                return try cut(text, from: step + 1, state, receive)
            }
            try cut(copy: [UInt8(ascii: " ")] + text, from: step + 1, state, receive)
        case .spell:
            var spelling: [UInt8] = []
            spelling.reserveCapacity(text.count * 2)
            for byte in text { ByteAlphabet.appendSpelling(of: byte, to: &spelling) }
            var state = state
            state.isSpelled = true
            try cut(copy: spelling, from: step + 1, state, receive)
        case .metaspace(let options):
            let replacement = Array(String(Character(options.replacement)).utf8)
            var spaced = Array(text).replacing([UInt8(ascii: " ")], with: replacement)
            let prepends =
                options.prependScheme == .always
                || options.prependScheme == .first && state.isAtStart
            if prepends, !spaced.starts(with: replacement) { spaced = replacement + spaced }
            guard options.splits else {
                return try cut(copy: spaced, from: step + 1, state, receive)
            }
            for word in spaced.split(before: replacement) {
                var state = state
                state.isAtStart = state.isAtStart && word.startIndex == 0
                try cut(copy: word, from: step + 1, state, receive)
            }
        }
    }

    private func cut(
        copy: some Collection<UInt8>, from step: Int, _ state: State, _ receive: WordReceiver
    ) throws(ModelError) {
        let result = Array(copy).withUnsafeBufferPointer { text in
            Result { () throws(ModelError) in try cut(text, from: step, state, receive) }
        }
        try result.get()
    }

    private func split(
        _ spans: inout Spans, _ behavior: SplitBehavior, _ isInverted: Bool,
        _ pass: (Range<Int>) throws(ModelError) -> Void
    ) throws(ModelError) {
        // What may still grow, and whether it is a match.
        var pending: (range: Range<Int>, isMatch: Bool)?
        var previousIsMatch = false
        while let span = try spans.next() {
            let isMatch = span.isMatch != isInverted
            defer { previousIsMatch = isMatch }
            var joins = false
            switch behavior {
            case .isolated:
                try pass(span.range)
                continue
            case .removed:
                if !isMatch { try pass(span.range) }
                continue
            case .contiguous: joins = pending?.isMatch == isMatch
            case .mergedWithPrevious: joins = isMatch && !previousIsMatch
            case .mergedWithNext: joins = !isMatch && pending?.isMatch == true
            }
            if joins, let grown = pending {
                pending = (grown.range.lowerBound..<span.range.upperBound, isMatch)
            } else {
                if let done = pending { try pass(done.range) }
                pending = (span.range, isMatch)
            }
        }
        if let done = pending { try pass(done.range) }
    }
}

extension [UInt8] {
    /// The parts, each but the first starting with `separator`.
    fileprivate func split(before separator: [UInt8]) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        var start = 0
        for place in indices.dropFirst() where self[place...].starts(with: separator) {
            parts.append(self[start..<place])
            start = place
        }
        parts.append(self[start...])
        return parts
    }
}
