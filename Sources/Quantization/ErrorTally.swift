/// Adds up what tiles cost, in the order of tiles, whichever thread did them.
final class ErrorTally: @unchecked Sendable {
    struct Entry {
        /// The squared output, or what stands for it.
        var reference = 0.0
        /// What of it is wrong.
        var error = 0.0
        /// What would be wrong after rounding to nearest.
        var nearestError = 0.0

        var relative: Double { reference > 0 ? error / reference : 0 }
        var relativeNearest: Double { reference > 0 ? nearestError / reference : 0 }
    }

    private let entries: UnsafeMutableBufferPointer<Entry>

    init(tileCount: Int) {
        entries = .allocate(capacity: tileCount)
        entries.initialize(repeating: Entry())
    }

    deinit { entries.deallocate() }

    var tileCount: Int { entries.count }

    subscript(tile: Int) -> Entry {
        get { entries[tile] }
        set { entries[tile] = newValue }
    }

    var total: Entry {
        entries.reduce(into: Entry()) { sum, entry in
            sum.reference += entry.reference
            sum.error += entry.error
            sum.nearestError += entry.nearestError
        }
    }
}
