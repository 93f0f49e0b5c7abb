import TensorIR

/// The points that a super-block of 256 weights can take, for encodings whose weights are vectors of
/// a codebook.
///
/// A weight is `scale * level`: the level is an element of a codebook's vector, with a sign, and the
/// scale, which 16 or 32 weights share, is `unit * step * (2 * code + 1)` with a small code. All
/// these products are exact in `Float`.
package struct CodebookGrid: Sendable {
    /// How the signs of eight weights in a row are stored.
    package enum Signs: Sendable {
        /// A bit for each weight.
        case free
        /// Seven bits; the eighth makes the number of negative weights even.
        case even
        /// Not at all: the vectors have signs of their own.
        case none
    }

    package let encoding: BlockEncoding
    package let codebook: Codebook
    package let signs: Signs
    /// Weights that share a scale: 16 or 32.
    package let weightsPerScale: Int
    /// Scales go by codes below this: 8 or 16.
    package let scaleCodeCount: Int
    package let step: Float
    /// Whether all vectors under one scale are of the same half of the codebook.
    package let sharesShift: Bool
    private let format: any CodebookFormat.Type

    package static let weightsPerBlock = 256
    /// Weights whose signs are stored together. Vectors never reach across.
    package static let groupSize = 8

    package var scaleCount: Int { Self.weightsPerBlock / weightsPerScale }
    package var vectorCount: Int { Self.weightsPerBlock / codebook.dimensions }

    /// The grid of an encoding, or nil where it has no codebook.
    package init?(_ encoding: Encoding) {
        guard case .block(let block) = encoding,
            let format = block.format as? any CodebookFormat.Type
        else { return nil }
        self = format.grid
    }

    init(
        _ encoding: BlockEncoding, _ format: any CodebookFormat.Type, _ codebook: Codebook,
        signs: Signs, weightsPerScale: Int, scaleCodeCount: Int = 16, step: Float,
        sharesShift: Bool = false
    ) {
        (self.encoding, self.format, self.codebook) = (encoding, format, codebook)
        (self.signs, self.weightsPerScale) = (signs, weightsPerScale)
        (self.scaleCodeCount, self.step) = (scaleCodeCount, step)
        self.sharesShift = sharesShift
    }

    /// The scale of a code, in units.
    @inline(__always)
    package func multiplier(_ code: UInt8) -> Float { step * Float(2 * Int32(code) + 1) }

    /// The nearest unit that a file can hold, never infinite; 0 for NaN.
    package func representable(unit: Float) -> Float {
        Float(Float16(unit.clamped(to: Float(Float16.greatestFiniteMagnitude))))
    }

    package func pack(_ block: CodebookBlock, into bytes: UnsafeMutableRawBufferPointer) {
        format.pack(block, into: bytes)
    }

    package func unpack(_ bytes: UnsafeRawBufferPointer, into block: inout CodebookBlock) {
        format.unpack(bytes, into: &block)
    }
}

extension Encoding {
    /// Whether quantization passes can choose the codes: a `LevelGrid` or a codebook describes it.
    package var hasGrid: Bool { LevelGrid(self) != nil || CodebookGrid(self) != nil }
}

/// A super-block of a codebook encoding, as numbers.
package struct CodebookBlock: Sendable, Hashable {
    package var unit: Float = 0
    /// One for each scale.
    package var scaleCodes: [UInt8]
    /// One for each vector: its place in the codebook.
    package var entries: [UInt16]
    /// One for each eight weights: bit i is set where weight i is negative. Zero where the grid
    /// stores no signs.
    package var signs: [UInt8]

    package init(_ grid: CodebookGrid) {
        scaleCodes = [UInt8](repeating: 0, count: grid.scaleCount)
        entries = [UInt16](repeating: 0, count: grid.vectorCount)
        signs = [UInt8](repeating: 0, count: CodebookGrid.weightsPerBlock / CodebookGrid.groupSize)
    }
}

/// A block encoding with a codebook: where its numbers lie in the bytes.
protocol CodebookFormat: EncodableBlockFormat {
    static var grid: CodebookGrid { get }

    static func unpack(_ bytes: UnsafeRawBufferPointer, into block: inout CodebookBlock)
    static func pack(_ block: CodebookBlock, into bytes: UnsafeMutableRawBufferPointer)
}

extension CodebookFormat {
    package static var weightsPerBlock: Int { CodebookGrid.weightsPerBlock }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        decodeBlocks(block, into: weights)
    }

    package static func decodeBlocks(
        _ blocks: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        let grid = grid
        var block = CodebookBlock(grid)
        for index in 0..<blocks.count / bytesPerBlock {
            unpack(blocks.part(index, of: bytesPerBlock), into: &block)
            grid.expand(block, into: weights.part(index, of: weightsPerBlock))
        }
    }
}

extension CodebookFormat {
    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        encodeBlocks(weights, into: block)
    }

    package static func encodeBlocks(
        _ weights: UnsafeBufferPointer<Float>, into blocks: UnsafeMutableRawBufferPointer
    ) {
        let grid = grid
        let search = CodebookSearch(grid)
        search.setWeights(repeatElement(1, count: weightsPerBlock))
        var block = CodebookBlock(grid)
        for index in 0..<blocks.count / bytesPerBlock {
            guard let x = weights.part(index, of: weightsPerBlock).baseAddress else { return }
            search.fit(x, into: &block)
            pack(block, into: blocks.part(index, of: bytesPerBlock))
        }
    }
}

extension CodebookGrid {
    /// The weights of a super-block.
    package func expand(_ block: CodebookBlock, into weights: UnsafeMutableBufferPointer<Float>) {
        precondition(weights.count == Self.weightsPerBlock)

        let dimensions = codebook.dimensions
        codebook.entries.withUnsafeBufferPointer { entries in
            for vector in 0..<vectorCount {
                let first = vector * dimensions
                let scale = block.unit * multiplier(block.scaleCodes[first / weightsPerScale])
                let entry = Int(block.entries[vector]) * dimensions
                let signs = UInt32(block.signs[first / Self.groupSize]) >> UInt32(first % 8)
                for i in 0..<dimensions {
                    let sign = (signs &>> UInt32(i)) &<< 31
                    let level = Float(bitPattern: entries[entry + i].bitPattern ^ sign)
                    weights[first + i] = scale * level
                }
            }
        }
    }
}
