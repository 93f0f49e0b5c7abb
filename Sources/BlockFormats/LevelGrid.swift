import TensorIR

/// The points that a block of weights can take, for encodings whose weights are
/// `scale * level + minimum`.
///
/// A quantization pass chooses a scale (and a minimum) and a level for each weight; this type knows
/// what of that a file can hold, and writes it. With what `representable` returned, `RowCodec`
/// decodes a packed block to exactly `scale * Float(level) + minimum` in float arithmetic: the pass
/// sees the weights that a reader will see.
public struct LevelGrid: Sendable, Hashable {
    /// What the levels are.
    public enum Levels: Sendable, Hashable {
        /// Every integer of a range; a stored level is the integer itself.
        case uniform(ClosedRange<Int>)
        /// These numbers, ascending; a stored level is an index into them.
        case codebook([Int8])
    }

    public let encoding: Encoding
    public let levels: Levels
    /// Whether blocks store a minimum (a zero point, a bias) beside the scale.
    public let hasMinimum: Bool
    private let layout: Layout

    private enum Layout: Sendable, Hashable {
        case q4_0, q4_1, q5_0, q5_1, q8_0, iq4_nl
        case grouped(GroupedAffine)
    }

    /// The grid of an encoding, or nil where it has more than one scale for a block, or no scale.
    public init?(_ encoding: Encoding) {
        self.encoding = encoding
        switch encoding {
        case .block(.q4_0): (levels, hasMinimum, layout) = (.uniform(-8...7), false, .q4_0)
        case .block(.q5_0): (levels, hasMinimum, layout) = (.uniform(-16...15), false, .q5_0)
        case .block(.q8_0): (levels, hasMinimum, layout) = (.uniform(-127...127), false, .q8_0)
        case .block(.iq4_nl):
            (levels, hasMinimum, layout) = (.codebook(IQ4_NL.levels), false, .iq4_nl)
        case .block(.q4_1): (levels, hasMinimum, layout) = (.uniform(0...15), true, .q4_1)
        case .block(.q5_1): (levels, hasMinimum, layout) = (.uniform(0...31), true, .q5_1)
        case .grouped(let grouped):
            let lowest = grouped.lowestLevel
            levels = .uniform(lowest...lowest + grouped.maximumCode)
            (hasMinimum, layout) = (grouped.offset != .symmetric, .grouped(grouped))
        case .block, .scalar: return nil
        }
    }

    /// Weights that share a scale. The last block of a grouped row may be packed with fewer.
    public var weightsPerBlock: Int { encoding.weightsPerBlock }
    public var bytesPerBlock: Int { encoding.bytesPerBlock }

    /// The scale and minimum that a file will hold when asked for these.
    ///
    /// Both are rounded to the file's precision and clamped to its range, so they are finite; NaN
    /// becomes 0. The minimum is 0 where none is stored, and `-scale * zeroPoint` where that is an
    /// integer.
    public func representable(scale: Float, minimum: Float) -> (scale: Float, minimum: Float) {
        switch layout {
        case .q4_0, .q5_0, .q8_0, .iq4_nl: (nearestFiniteHalf(scale), 0)
        case .q4_1, .q5_1: (nearestFiniteHalf(scale), nearestFiniteHalf(minimum))
        case .grouped(let grouped): grouped.representable(scale: scale, minimum: minimum)
        }
    }

    /// Writes one block.
    ///
    /// - Parameters:
    ///   - levels: one for each weight: integers of the range, or indices into the codebook.
    ///     One out of range is stored as some other.
    ///   - count: weights in the block; fewer than `weightsPerBlock` only at the end of a grouped
    ///     row.
    ///   - scale: with `minimum`, what `representable` returned.
    ///   - minimum: 0 where the grid has none.
    ///   - block: `bytesPerBlock` bytes.
    public func pack(
        levels: UnsafePointer<Int8>, count: Int? = nil, scale: Float, minimum: Float,
        into block: UnsafeMutableRawBufferPointer
    ) {
        let count = checkedCount(count, bytes: block.count)
        switch layout {
        case .q4_0:
            block.storeHalf(scale, at: 0)
            block.storeNibbles(at: 2) { UInt8(bitPattern: levels[$0] &+ 8) }
        case .iq4_nl:
            block.storeHalf(scale, at: 0)
            block.storeNibbles(at: 2) { UInt8(bitPattern: levels[$0]) }
        case .q4_1:
            block.storeHalf(scale, at: 0)
            block.storeHalf(minimum, at: 2)
            block.storeNibbles(at: 4) { UInt8(bitPattern: levels[$0]) }
        case .q5_0:
            block.storeHalf(scale, at: 0)
            block.storeFiveBits(at: 2) { UInt8(bitPattern: levels[$0] &+ 16) }
        case .q5_1:
            block.storeHalf(scale, at: 0)
            block.storeHalf(minimum, at: 2)
            block.storeFiveBits(at: 4) { UInt8(bitPattern: levels[$0]) }
        case .q8_0:
            block.storeHalf(scale, at: 0)
            for i in 0..<32 { block[2 + i] = UInt8(bitPattern: levels[i]) }
        case .grouped(let grouped):
            grouped.pack(levels: levels, count: count, scale: scale, minimum: minimum, into: block)
        }
    }

    /// Reads one block.
    ///
    /// - Parameters:
    ///   - block: `bytesPerBlock` bytes.
    ///   - count: as for `pack`.
    ///   - levels: room for `count`; what `pack` was given.
    /// - Returns: the scale and minimum that the block holds.
    public func unpack(
        _ block: UnsafeRawBufferPointer, count: Int? = nil, levels: UnsafeMutablePointer<Int8>
    ) -> (scale: Float, minimum: Float) {
        let count = checkedCount(count, bytes: block.count)
        switch layout {
        case .q4_0:
            block.forEachNibble(at: 2) { levels[$0] = Int8(bitPattern: $1) - 8 }
            return (block.half(at: 0), 0)
        case .iq4_nl:
            block.forEachNibble(at: 2) { levels[$0] = Int8(bitPattern: $1) }
            return (block.half(at: 0), 0)
        case .q4_1:
            block.forEachNibble(at: 4) { levels[$0] = Int8(bitPattern: $1) }
            return (block.half(at: 0), block.half(at: 2))
        case .q5_0:
            block.forEachFiveBits(at: 2) { levels[$0] = Int8(bitPattern: $1) - 16 }
            return (block.half(at: 0), 0)
        case .q5_1:
            block.forEachFiveBits(at: 4) { levels[$0] = Int8(bitPattern: $1) }
            return (block.half(at: 0), block.half(at: 2))
        case .q8_0:
            for i in 0..<32 { levels[i] = Int8(bitPattern: block[2 + i]) }
            return (block.half(at: 0), 0)
        case .grouped(let grouped):
            return grouped.unpack(block, count: count, levels: levels)
        }
    }

    private func checkedCount(_ count: Int?, bytes: Int) -> Int {
        let count = count ?? weightsPerBlock
        precondition(bytes == bytesPerBlock)
        let isWhole = count == weightsPerBlock
        precondition(isWhole || (isGrouped && (0..<weightsPerBlock).contains(count)))
        return count
    }

    private var isGrouped: Bool { if case .grouped = layout { true } else { false } }
}

/// The nearest finite half, ties to even; 0 for NaN.
private func nearestFiniteHalf(_ value: Float) -> Float {
    Float(Float16(value.clamped(to: Float(Float16.greatestFiniteMagnitude))))
}
