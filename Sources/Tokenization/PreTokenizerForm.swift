/// A pre-tokenizer in one form, so that two that cut alike compare equal, however they are written.
///
/// `Digits` is a split by an expression, throwing away what an expression leaves out is isolating
/// what it matches where it leaves nothing out, and expressions are compared by what they mean.
struct PreTokenizerForm: Hashable {
    private enum Part: Hashable {
        case split(OnigurumaExpression, SplitBehavior, isInverted: Bool)
        case text(String, SplitBehavior, isInverted: Bool)
        case prefixSpace
        case metaspace(MetaspaceOptions)
        case bytes
    }

    private let parts: [Part]

    init(_ steps: [PreTokenizerStep]) {
        var parts: [Part] = []
        for step in steps {
            if case .byteLevel(addsPrefixSpace: true, _) = step { parts.append(.prefixSpace) }
            parts += step.splits.map(PreTokenizerForm.part)
            if case .metaspace(let options) = step { parts.append(.metaspace(options)) }
            if case .byteLevel = step { parts.append(.bytes) }
        }
        self.parts = parts
    }

    private static func part(_ split: PreTokenizerSplit) -> Part {
        let expression: OnigurumaExpression
        switch split.pattern {
        case .literal(let text): expression = OnigurumaExpression(literal: text)
        case .expression(let text):
            do {
                expression = try OnigurumaExpression(parsing: text)
            } catch {
                // What cannot be read is equal to nothing but itself.
                return .text(text, split.behavior, isInverted: split.isInverted)
            }
        }
        let form = expression.canonical
        switch (split.behavior, split.isInverted) {
        case (.removed, true) where form.leavesNothingOut, (.isolated, true):
            return .split(form, .isolated, isInverted: false)
        case (.contiguous, _):
            // Touching matches of one character are one match of all of them.
            guard case .set = form else { break }
            let run = OnigurumaRepetition(minimum: 1, maximum: nil)
            return .split(.repetition(form, run), .isolated, isInverted: false)
        default: break
        }
        return .split(form, split.behavior, isInverted: split.isInverted)
    }
}

extension OnigurumaExpression {
    /// Whether every text is made of matches: some alternative takes any one character.
    ///
    /// That is so where one takes all characters but those of some kinds, and for each kind there is
    /// another that takes it.
    fileprivate var leavesNothingOut: Bool {
        guard case .alternatives(let branches) = self else { return false }
        let sets = branches.compactMap(\.singleCharacters)
        let kinds = Set(sets.filter { !$0.isNegated }.flatMap(\.members))
        return sets.contains { set in set.isNegated && set.members.allSatisfy(kinds.contains) }
    }

    /// The characters that the expression matches alone: the one part of a sequence that must be
    /// there is a set, and all others need not.
    private var singleCharacters: OnigurumaSet? {
        switch self {
        case .set(let set): return set
        case .repetition(let body, let repetition):
            return repetition.minimum <= 1 ? body.singleCharacters : nil
        case .sequence(let items):
            let needed = items.filter {
                guard case .repetition(_, let repetition) = $0 else { return true }
                return repetition.minimum > 0 || repetition.kind == .possessive
            }
            return needed.count == 1 ? needed[0].singleCharacters : nil
        default: return nil
        }
    }
}

extension PreTokenizerStep {
    /// The plain steps that isolate `expressions` one after the other, and spell bytes at the end.
    static func isolating(_ expressions: [String]) -> [PreTokenizerStep] {
        var steps: [PreTokenizerStep] = []
        for expression in expressions.dropLast() {
            switch expression {
            case #"\p{N}"#: steps.append(.digits(individual: true))
            case #"\p{N}+"#: steps.append(.digits(individual: false))
            default: steps.append(.split(.expression(expression), .isolated, isInverted: false))
            }
        }
        if expressions.last == gpt2Expression {
            return steps + [.byteLevel(addsPrefixSpace: false, usesExpression: true)]
        }
        if let last = expressions.last {
            steps.append(.split(.expression(last), .isolated, isInverted: false))
        }
        return steps + [.byteLevel(addsPrefixSpace: false, usesExpression: false)]
    }
}
