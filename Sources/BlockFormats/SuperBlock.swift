import TensorIR

/// What a block with sub-blocks holds, before it is packed.
///
/// The scale of sub-block i is `unit * scaleCodes[i]`, its minimum
/// `-(minimumUnit * minimumCodes[i])`.
package struct SuperBlock {
    /// One for each weight: integers of the grid's range, or indices into its codebook.
    package let levels: UnsafePointer<Int8>
    /// One for each sub-block.
    package let scaleCodes: UnsafePointer<Int8>
    /// One for each sub-block; ignored where the grid has no minimum.
    package let minimumCodes: UnsafePointer<Int8>
    /// A half.
    package let unit: Float
    /// A half; ignored where the grid has no minimum.
    package let minimumUnit: Float

    package init(
        levels: UnsafePointer<Int8>, scaleCodes: UnsafePointer<Int8>,
        minimumCodes: UnsafePointer<Int8>, unit: Float, minimumUnit: Float
    ) {
        (self.levels, self.scaleCodes, self.minimumCodes) = (levels, scaleCodes, minimumCodes)
        (self.unit, self.minimumUnit) = (unit, minimumUnit)
    }
}

/// A block encoding whose scales are themselves quantized.
protocol SuperBlockFormat: EncodableBlockFormat {
    static var type: BlockEncoding { get }

    /// Writes one block.
    static func pack(_ source: SuperBlock, into block: UnsafeMutableRawBufferPointer)
}

/// Fields that the super-blocks share.
extension UnsafeMutableRawBufferPointer {
    /// Stores 256 codes of two bits: byte 32 n + i holds weights 128 n + i + {0, 32, 64, 96}.
    func storeTwoBits(at offset: Int, _ code: (_ weight: Int) -> UInt8) {
        for half in 0..<2 {
            for i in 0..<32 {
                var byte: UInt8 = 0
                for plane in 0..<4 {
                    byte |= (code(128 * half + 32 * plane + i) & 3) << UInt8(2 * plane)
                }
                self[offset + 32 * half + i] = byte
            }
        }
    }

    /// Stores one bit for each of 256 weights: bit j of byte i belongs to weight 32 j + i.
    func storeBits(at offset: Int, _ bit: (_ weight: Int) -> UInt8) {
        for i in 0..<32 {
            var byte: UInt8 = 0
            for plane in 0..<8 { byte |= (bit(32 * plane + i) & 1) << UInt8(plane) }
            self[offset + i] = byte
        }
    }

    /// Stores 256 codes of four bits: of each run of `2 * distance` weights, byte i holds weight i
    /// (low nibble) and weight i + distance.
    func storeNibbles(at offset: Int, distance: Int, _ code: (_ weight: Int) -> UInt8) {
        for run in 0..<128 / distance {
            for i in 0..<distance {
                let weight = 2 * distance * run + i
                self[offset + distance * run + i] =
                    code(weight) & 0x0F | code(weight + distance) << 4
            }
        }
    }
}
