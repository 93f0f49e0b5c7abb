extension JinjaValue {
    /// `value[index]`; undefined where there is no such element, as in Jinja.
    func item(_ index: JinjaValue, line: Int) throws(JinjaError) -> JinjaValue {
        switch (self, index) {
        case (.dictionary(let members), .string(let key)):
            return members[key] ?? .undefined(name: key)
        case (.namespace(let namespace), .string(let key)):
            return namespace.members[key] ?? .undefined(name: key)
        case (.undefined(let name), _):
            throw JinjaError(.evaluation, line: line, "'\(name)' is undefined")
        default: break
        }
        guard let place = index.integer, let elements = sequence else {
            return .undefined(name: index.text)
        }
        let fromStart = place < 0 ? place + elements.count : place
        guard elements.indices.contains(fromStart) else { return .undefined(name: "\(place)") }
        return elements[fromStart]
    }

    /// `value.name`
    func attribute(_ name: String, line: Int) throws(JinjaError) -> JinjaValue {
        try item(.string(name), line: line)
    }

    /// `value[from:to:by]`
    func slice(
        from: Int?, to: Int?, by: Int?, line: Int
    ) throws(JinjaError) -> JinjaValue {
        guard let elements = sequence else {
            throw JinjaError(.evaluation, line: line, "\(kind) cannot be sliced")
        }
        let step = by ?? 1
        guard step != 0 else {
            throw JinjaError(.evaluation, line: line, "a slice's step must not be 0")
        }
        let count = elements.count
        // Python: negative places count from the end, and what lies outside is cut off.
        func clamped(_ place: Int, _ range: ClosedRange<Int>) -> Int {
            min(max(place < 0 ? place + count : place, range.lowerBound), range.upperBound)
        }
        var taken: [JinjaValue] = []
        if step > 0 {
            let end = to.map { clamped($0, 0...count) } ?? count
            var place = from.map { clamped($0, 0...count) } ?? 0
            while place < end {
                taken.append(elements[place])
                guard step < end - place else { break }
                place += step
            }
        } else {
            let end = to.map { clamped($0, -1...count - 1) } ?? -1
            var place = from.map { clamped($0, -1...count - 1) } ?? count - 1
            while place > end {
                taken.append(elements[place])
                guard step > end - place else { break }
                place += step
            }
        }
        guard case .string = self else { return .list(taken) }
        return .string(taken.map(\.text).joined())
    }

    /// Lists and strings: what has places.
    private var sequence: [JinjaValue]? {
        switch self {
        case .list, .string: elements
        default: nil
        }
    }
}
