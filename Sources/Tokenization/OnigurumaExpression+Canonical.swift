/// One form for expressions that say the same in other words.
///
/// Equal forms mean equal matches. The reverse does not hold: the form knows what people write in
/// several ways, such as `(?i:'s|'t)` and `'[sStT]`, `\p{N}{1}` and `\p{N}`, `[\s\n]` and `\s`. Letters of
/// other scripts that fold to ASCII (U+017F to s) are left out of account.
extension OnigurumaExpression {
    var canonical: OnigurumaExpression { canonical(ignoringCase: false) }

    private func canonical(ignoringCase: Bool) -> OnigurumaExpression {
        switch self {
        case .set(let set):
            let plain = set.canonical
            guard ignoringCase else { return .set(plain) }
            return plain.foldedASCII.map { .set($0) } ?? .letterCase(.set(plain), isIgnored: true)
        case .sequence(let items):
            let flat = items.flatMap { item -> [OnigurumaExpression] in
                let item = item.canonical(ignoringCase: ignoringCase)
                if case .sequence(let parts) = item { return parts }
                return [item]
            }
            return flat.count == 1 ? flat[0] : .sequence(flat)
        case .alternatives(let branches):
            let flat = branches.flatMap { branch -> [OnigurumaExpression] in
                let branch = branch.canonical(ignoringCase: ignoringCase)
                if case .alternatives(let parts) = branch { return parts }
                return [branch]
            }
            let joined = OnigurumaExpression.joiningTexts(flat)
            return joined.count == 1 ? joined[0] : .alternatives(joined)
        case .repetition(let body, let repetition):
            let body = body.canonical(ignoringCase: ignoringCase)
            if repetition.minimum == 1, repetition.maximum == 1 { return body }
            return .repetition(body, repetition)
        case .look(let body, let isBehind, let isNegative):
            let body = body.canonical(ignoringCase: ignoringCase)
            return .look(body, isBehind: isBehind, isNegative: isNegative)
        case .atomic(let body): return .atomic(body.canonical(ignoringCase: ignoringCase))
        case .place: return self
        case .letterCase(let body, let isIgnored): return body.canonical(ignoringCase: isIgnored)
        }
    }

    /// Neighbouring branches that each match one of a few texts, as a sorted list of those.
    ///
    /// Where no text begins another, at most one can match, and the order does not count.
    private static func joiningTexts(_ branches: [OnigurumaExpression]) -> [OnigurumaExpression] {
        var result: [OnigurumaExpression] = []
        var pending: [OnigurumaExpression] = []
        func flush() {
            let texts = Set(pending.flatMap { $0.texts ?? [] }).sorted {
                $0.lexicographicallyPrecedes($1)
            }
            let areDistinct = zip(texts, texts.dropFirst()).allSatisfy { !$1.starts(with: $0) }
            if areDistinct {
                result += texts.map { text in
                    let characters = text.map {
                        OnigurumaExpression.set(OnigurumaSet([.range($0...$0)]))
                    }
                    return characters.count == 1 ? characters[0] : .sequence(characters)
                }
            } else {
                result += pending
            }
            pending = []
        }
        for branch in branches {
            if branch.texts == nil { flush() }
            if branch.texts == nil { result.append(branch) } else { pending.append(branch) }
        }
        flush()
        return result
    }

    private static let maximumTextCount = 64

    /// All texts that a canonical expression matches, where they are few and not empty.
    private var texts: [[UInt32]]? {
        switch self {
        case .set(let set):
            var texts: [[UInt32]] = []
            for member in set.members {
                guard case .range(let range) = member, !set.isNegated,
                    range.count <= OnigurumaExpression.maximumTextCount
                else { return nil }
                texts += range.map { [$0] }
            }
            return texts
        case .sequence(let items) where !items.isEmpty:
            var texts: [[UInt32]] = [[]]
            for item in items {
                guard let ends = item.texts,
                    texts.count * ends.count <= OnigurumaExpression.maximumTextCount
                else { return nil }
                texts = texts.flatMap { start in ends.map { start + $0 } }
            }
            return texts
        case .alternatives(let branches):
            var texts: [[UInt32]] = []
            for branch in branches {
                guard let more = branch.texts,
                    texts.count + more.count <= OnigurumaExpression.maximumTextCount
                else { return nil }
                texts += more
            }
            return texts
        default: return nil
        }
    }
}

extension OnigurumaSet {
    fileprivate var canonical: OnigurumaSet {
        var flat = flattened
        // All letters but one kind cannot be said shorter; all kinds can.
        let kinds = ["Lu", "Ll", "Lt", "Lm", "Lo"].map { Member.property($0, isNegated: false) }
        if kinds.allSatisfy(flat.contains) {
            flat = flat.filter { !kinds.contains($0) } + [.property("L", isNegated: false)]
        }
        let spaces: [ClosedRange<UInt32>] =
            flat.contains(.space(isNegated: false)) ? [0x09...0x0D, 0x20...0x20] : []
        var ranges: [ClosedRange<UInt32>] = []
        var others: Set<Member> = []
        for member in flat {
            guard case .range(let range) = member else {
                others.insert(member)
                continue
            }
            let isSpace = spaces.contains {
                $0.contains(range.lowerBound) && $0.contains(range.upperBound)
            }
            if !isSpace { ranges.append(range) }
        }
        var members = OnigurumaSet.joined(ranges).map { Member.range($0) }
        members += others.sorted { String(describing: $0) < String(describing: $1) }
        guard isNegated, members.count == 1 else {
            return OnigurumaSet(members, isNegated: isNegated)
        }
        switch members[0] {
        case .property(let name, let isNegated):
            return OnigurumaSet([.property(name, isNegated: !isNegated)])
        case .space(let isNegated): return OnigurumaSet([.space(isNegated: !isNegated)])
        case .word(let isNegated): return OnigurumaSet([.word(isNegated: !isNegated)])
        case .range, .set, .intersection: return OnigurumaSet(members, isNegated: true)
        }
    }

    /// The members with those of sets among them.
    private var flattened: [Member] {
        members.flatMap { member -> [Member] in
            switch member {
            case .set(let set):
                let inner = set.canonical
                return inner.isNegated ? [.set(inner)] : inner.members
            case .intersection(let sets): return [.intersection(sets.map(\.canonical))]
            case .range, .property, .space, .word: return [member]
            }
        }
    }

    /// Sorted, those that touch as one.
    private static func joined(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound <= last.upperBound + 1 {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }

    /// The set with both cases of its letters, where those are of ASCII; nil where they are not.
    fileprivate var foldedASCII: OnigurumaSet? {
        var ranges: [ClosedRange<UInt32>] = []
        var others: [Member] = []
        for member in members {
            switch member {
            case .property(let name, _) where name.count == 1: others.append(member)
            case .space, .word: others.append(member)
            case .range(let range) where range.upperBound < 0x80: break
            case .range, .property, .set, .intersection: return nil
            }
            guard case .range(let range) = member else { continue }
            for value in range {
                ranges.append(value...value)
                let isLetter = (0x41...0x5A).contains(value & ~0x20)
                if isLetter { ranges.append(value ^ 0x20...value ^ 0x20) }
            }
        }
        return OnigurumaSet(
            OnigurumaSet.joined(ranges).map { .range($0) } + others, isNegated: isNegated)
    }
}
