import TensorIR

/// One block encoding: its sizes and how a block becomes weights.
///
/// Decoding is total: every pattern of bytes is some block, whoever made it.
package protocol BlockFormat: SendableMetatype {
    static var weightsPerBlock: Int { get }
    static var bytesPerBlock: Int { get }

    /// Decodes one block, `bytesPerBlock` bytes into `weightsPerBlock` weights.
    static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>)

    /// Decodes block after block.
    static func decodeBlocks(
        _ blocks: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>)
}

/// A block encoding that this package can write.
///
/// Encoders get finite weights (a pass checks that once per tensor, where it can name the culprit),
/// but do not trap on others.
package protocol EncodableBlockFormat: BlockFormat {
    /// Encodes one block, `weightsPerBlock` weights into `bytesPerBlock` bytes.
    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer)

    /// Encodes block after block.
    static func encodeBlocks(
        _ weights: UnsafeBufferPointer<Float>, into blocks: UnsafeMutableRawBufferPointer)
}

extension BlockFormat {
    package static func decodeBlocks(
        _ blocks: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        for index in 0..<blocks.count / bytesPerBlock {
            decode(
                blocks.part(index, of: bytesPerBlock),
                into: weights.part(index, of: weightsPerBlock))
        }
    }
}

extension EncodableBlockFormat {
    package static func encodeBlocks(
        _ weights: UnsafeBufferPointer<Float>, into blocks: UnsafeMutableRawBufferPointer
    ) {
        for index in 0..<blocks.count / bytesPerBlock {
            encode(
                weights.part(index, of: weightsPerBlock),
                into: blocks.part(index, of: bytesPerBlock))
        }
    }
}

extension BlockEncoding {
    /// How to read blocks of this encoding, or nil where this package cannot.
    var format: (any BlockFormat.Type)? {
        switch self {
        case .q4_0: Q4_0.self
        case .q4_1: Q4_1.self
        case .q5_0: Q5_0.self
        case .q5_1: Q5_1.self
        case .q8_0: Q8_0.self
        case .q2_K: Q2_K.self
        case .q3_K: Q3_K.self
        case .q4_K: Q4_K.self
        case .q5_K: Q5_K.self
        case .q6_K: Q6_K.self
        case .iq1_s: IQ1_S.self
        case .iq1_m: IQ1_M.self
        case .iq2_xxs: IQ2_XXS.self
        case .iq2_xs: IQ2_XS.self
        case .iq2_s: IQ2_S.self
        case .iq3_xxs: IQ3_XXS.self
        case .iq3_s: IQ3_S.self
        case .iq4_nl: IQ4_NL.self
        case .iq4_xs: IQ4_XS.self
        case .tq1_0: TQ1_0.self
        case .tq2_0: TQ2_0.self
        case .mxfp4: MXFP4.self
        case .nvfp4: NVFP4.self
        default: nil
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes of item number `index`, each `size` bytes.
    @inline(__always)
    func part(_ index: Int, of size: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[index * size..<(index + 1) * size])
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    func part(_ index: Int, of size: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: self[index * size..<(index + 1) * size])
    }
}

extension UnsafeBufferPointer {
    @inline(__always)
    func part(_ index: Int, of size: Int) -> UnsafeBufferPointer {
        UnsafeBufferPointer(rebasing: self[index * size..<(index + 1) * size])
    }
}

extension UnsafeMutableBufferPointer {
    @inline(__always)
    func part(_ index: Int, of size: Int) -> UnsafeMutableBufferPointer {
        UnsafeMutableBufferPointer(rebasing: self[index * size..<(index + 1) * size])
    }
}
