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
    /// The parts of a block that have a scale each, where a block has more than one.
    public let subBlocks: SubBlocks?
    private let layout: Layout

    /// The parts of a super-block. Their scales and minimums are small whole numbers, codes, times
    /// two units that the block stores as halves:
    ///
    ///     scale = unit * scaleCode        minimum = -(minimumUnit * minimumCode)
    public struct SubBlocks: Sendable, Hashable {
        /// Parts of a block.
        public let count: Int
        /// Weights that share a scale.
        public let weightCount: Int
        public let scaleCodes: ClosedRange<Int>
        /// 0...0 where there is no minimum.
        public let minimumCodes: ClosedRange<Int>
    }

    private enum Layout: Sendable, Hashable {
        case q4_0, q4_1, q5_0, q5_1, q8_0, iq4_nl
        case q2_K, q3_K, q4_K, q5_K, q6_K, iq4_xs
        case tq1_0, tq2_0, mxfp4
        case grouped(GroupedAffine)
    }

    /// The grid of an encoding, or nil where its weights are no levels of a scale.
    public init?(_ encoding: Encoding) {
        self.encoding = encoding
        subBlocks = SubBlocks(encoding)
        switch encoding {
        case .block(.q4_0): (levels, hasMinimum, layout) = (.uniform(-8...7), false, .q4_0)
        case .block(.q5_0): (levels, hasMinimum, layout) = (.uniform(-16...15), false, .q5_0)
        case .block(.q8_0): (levels, hasMinimum, layout) = (.uniform(-127...127), false, .q8_0)
        case .block(.iq4_nl):
            (levels, hasMinimum, layout) = (.codebook(IQ4_NL.levels), false, .iq4_nl)
        case .block(.tq1_0): (levels, hasMinimum, layout) = (.uniform(-1...1), false, .tq1_0)
        case .block(.tq2_0): (levels, hasMinimum, layout) = (.uniform(-1...1), false, .tq2_0)
        case .block(.mxfp4):
            (levels, hasMinimum, layout) = (.codebook(E2M1.levels), false, .mxfp4)
        case .block(.q4_1): (levels, hasMinimum, layout) = (.uniform(0...15), true, .q4_1)
        case .block(.q5_1): (levels, hasMinimum, layout) = (.uniform(0...31), true, .q5_1)
        case .block(.q2_K): (levels, hasMinimum, layout) = (.uniform(0...3), true, .q2_K)
        case .block(.q3_K): (levels, hasMinimum, layout) = (.uniform(-4...3), false, .q3_K)
        case .block(.q4_K): (levels, hasMinimum, layout) = (.uniform(0...15), true, .q4_K)
        case .block(.q5_K): (levels, hasMinimum, layout) = (.uniform(0...31), true, .q5_K)
        case .block(.q6_K): (levels, hasMinimum, layout) = (.uniform(-32...31), false, .q6_K)
        case .block(.iq4_xs):
            (levels, hasMinimum, layout) = (.codebook(IQ4_NL.levels), false, .iq4_xs)
        case .grouped(let grouped):
            guard grouped.element == .integer else { return nil }
            let lowest = grouped.lowestLevel
            levels = .uniform(lowest...lowest + grouped.maximumCode)
            (hasMinimum, layout) = (grouped.offset != .symmetric, .grouped(grouped))
        case .block, .scalar: return nil
        }
    }

    /// Weights of a block. The last one of a grouped row may be packed with fewer.
    public var weightsPerBlock: Int { encoding.weightsPerBlock }
    /// Weights that share a scale.
    public var weightsPerScale: Int { subBlocks?.weightCount ?? weightsPerBlock }
    public var bytesPerBlock: Int { encoding.bytesPerBlock }

    /// The scale and minimum that a file will hold when asked for these.
    ///
    /// Both are rounded to the file's precision and clamped to its range, so they are finite; NaN
    /// becomes 0. The minimum is 0 where none is stored, and `-scale * zeroPoint` where that is an
    /// integer. Of a grid with sub-blocks this knows too little: it leaves them what they are, and
    /// the units make the rest.
    public func representable(scale: Float, minimum: Float) -> (scale: Float, minimum: Float) {
        switch layout {
        case .q4_0, .q5_0, .q8_0, .iq4_nl, .tq1_0, .tq2_0: (nearestFiniteHalf(scale), 0)
        case .mxfp4: (MXFP4.scale(ofExponent: MXFP4.exponent(nearestTo: scale)), 0)
        case .q4_1, .q5_1: (nearestFiniteHalf(scale), nearestFiniteHalf(minimum))
        case .q2_K, .q4_K, .q5_K: (finite(scale), finite(minimum))
        case .q3_K, .q6_K, .iq4_xs: (finite(scale), 0)
        case .grouped(let grouped): grouped.representable(scale: scale, minimum: minimum)
        }
    }

    /// Whether a block's scale, and its minimum where there is one, are any finite halves.
    var storesHalves: Bool {
        switch layout {
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_nl, .tq1_0, .tq2_0: true
        case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_xs, .mxfp4, .grouped: false
        }
    }

    /// The nearest unit of a super-block that a file can hold; 0 for NaN.
    package func representable(unit: Float) -> Float { nearestFiniteHalf(unit) }

    /// Writes one block of a grid without sub-blocks.
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
            UnsafeMutableRawBufferPointer(rebasing: block[2...])
                .copyMemory(from: UnsafeRawBufferPointer(start: levels, count: 32))
        case .tq1_0: TQ1_0.store(scale: scale, into: block) { levels[$0] }
        case .tq2_0: TQ2_0.store(scale: scale, into: block) { levels[$0] }
        case .mxfp4: MXFP4.store(levels: levels, scale: scale, into: block)
        case .grouped(let grouped):
            grouped.pack(levels: levels, count: count, scale: scale, minimum: minimum, into: block)
        case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_xs:
            preconditionFailure("blocks of \(encoding) have more than one scale")
        }
    }

    /// Writes one block of each of several rows, of a grid without sub-blocks.
    ///
    /// - Parameters:
    ///   - levels: (rows, count), for each row what `pack` of one block takes.
    ///   - count: as for one block.
    ///   - rows: how many.
    ///   - scales: one for each row.
    ///   - minimums: one for each row.
    ///   - blocks: where the first row's block goes.
    ///   - stride: bytes from a row's block to the next row's.
    package func pack(
        levels: UnsafePointer<Int8>, count: Int, rows: Int, scales: UnsafePointer<Float>,
        minimums: UnsafePointer<Float>, into blocks: UnsafeMutableRawPointer, stride: Int
    ) {
        for row in 0..<rows {
            pack(
                levels: levels + row * count, count: count, scale: scales[row],
                minimum: minimums[row],
                into: UnsafeMutableRawBufferPointer(
                    start: blocks + row * stride, count: bytesPerBlock))
        }
    }

    /// Reads one block of a grid without sub-blocks.
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
        case .tq1_0:
            TQ1_0.forEachLevel(of: block) { levels[$0] = Int8($1) }
            return (block.half(at: 52), 0)
        case .tq2_0:
            TQ2_0.forEachLevel(of: block) { levels[$0] = Int8($1) }
            return (block.half(at: 64), 0)
        case .mxfp4:
            return (MXFP4.load(block, levels: levels), 0)
        case .grouped(let grouped):
            return grouped.unpack(block, count: count, levels: levels)
        case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_xs:
            preconditionFailure("blocks of \(encoding) have more than one scale")
        }
    }

    /// Writes one block of a grid with sub-blocks, `bytesPerBlock` bytes.
    package func pack(_ source: SuperBlock, into block: UnsafeMutableRawBufferPointer) {
        precondition(block.count == bytesPerBlock)
        switch layout {
        case .q2_K: Q2_K.pack(source, into: block)
        case .q3_K: Q3_K.pack(source, into: block)
        case .q4_K: Q4_K.pack(source, into: block)
        case .q5_K: Q5_K.pack(source, into: block)
        case .q6_K: Q6_K.pack(source, into: block)
        case .iq4_xs: IQ4_XS.pack(source, into: block)
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_nl, .tq1_0, .tq2_0, .mxfp4, .grouped:
            preconditionFailure("blocks of \(encoding) have one scale")
        }
    }

    @inline(__always)
    private func checkedCount(_ count: Int?, bytes: Int) -> Int {
        let count = count ?? weightsPerBlock
        precondition(bytes == bytesPerBlock)
        let isWhole = count == weightsPerBlock
        precondition(isWhole || (isGrouped && (0..<weightsPerBlock).contains(count)))
        return count
    }

    private var isGrouped: Bool { if case .grouped = layout { true } else { false } }
}

extension LevelGrid.SubBlocks {
    fileprivate init?(_ encoding: Encoding) {
        guard case .block(let type) = encoding else { return nil }
        switch type {
        case .q2_K: self.init(16, of: 16, scaleCodes: 0...15, minimumCodes: 0...15)
        case .q3_K: self.init(16, of: 16, scaleCodes: -32...31)
        case .q4_K, .q5_K: self.init(8, of: 32, scaleCodes: 0...63, minimumCodes: 0...63)
        case .q6_K: self.init(16, of: 16, scaleCodes: -128...127)
        case .iq4_xs: self.init(8, of: 32, scaleCodes: -32...31)
        default: return nil
        }
    }

    private init(
        _ count: Int, of weightCount: Int, scaleCodes: ClosedRange<Int>,
        minimumCodes: ClosedRange<Int> = 0...0
    ) {
        (self.count, self.weightCount) = (count, weightCount)
        (self.scaleCodes, self.minimumCodes) = (scaleCodes, minimumCodes)
    }
}

/// The nearest finite half, ties to even; 0 for NaN.
func nearestFiniteHalf(_ value: Float) -> Float {
    Float(Float16(value.clamped(to: Float(Float16.greatestFiniteMagnitude))))
}

private func finite(_ value: Float) -> Float { value.clamped(to: .greatestFiniteMagnitude) }
