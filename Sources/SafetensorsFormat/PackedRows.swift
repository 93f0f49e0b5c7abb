import TensorIR

/// A matrix whose codes lie along the inputs, row after row, least significant bit first, with the
/// numbers of its groups in tensors of their own: compressed-tensors' and MLX's way.
struct PackedRows {
    /// What goes before the codes of a group, for one row.
    typealias GroupHead = (
        _ row: Int, _ group: Int, _ target: UnsafeMutableRawBufferPointer
    ) -> Void

    let base: String
    let encoding: GroupedAffine
    let columns: Int
    /// A row holds the codes of a row of the matrix, and maybe padding.
    let codes: any TensorSource
    /// What the bytes of codes are changed by: eight-bit codes with a sign become ones without.
    var codeMask: UInt8 = 0

    /// The matrix in the IR's form.
    ///
    /// - Parameter heads: lends the bytes that heads are made of, and the way to make them.
    /// - Returns: the matrix, gathered as it is read.
    /// - Throws: `ModelError` for groups that do not end with a byte, or codes that are too few.
    func tensor(
        _ heads:
            @escaping @Sendable (_ rows: Range<Int>, _ use: (GroupHead) -> Void) throws -> Void
    ) throws(ModelError) -> GatheredTensor {
        let (encoding, columns, codes, codeMask) = (encoding, columns, codes, codeMask)
        let codesPerGroup = min(encoding.groupSize, columns)
        guard columns > 0, columns <= 1 << 30, codesPerGroup * encoding.bits % 8 == 0,
            (columns * encoding.bits + 7) / 8 <= codes.descriptor.rowByteCount
        else {
            throw ModelError(
                "tensor '\(codes.descriptor.name)' of shape \(codes.descriptor.shape) does not hold "
                    + "\(columns) codes of \(encoding.bits) bits in groups of \(encoding.groupSize)"
            )
        }
        return try GatheredTensor(
            base: base, rows: codes.descriptor.rows, columns: columns, encoding: .grouped(encoding)
        ) { rows, target in
            let groupCount = (columns + encoding.groupSize - 1) / encoding.groupSize
            let codeByteCount = encoding.groupSize * encoding.bits / 8
            let headByteCount = encoding.scaleType.byteCount + encoding.offsetByteCount
            let lastByte = (columns * encoding.bits + 7) / 8
            target.initializeMemory(as: UInt8.self, repeating: 0)
            try codes.withBytes(rows: rows) { codes in
                let codesPerRow = codes.count / max(1, rows.count)
                try heads(rows) { head in
                    for (index, row) in rows.enumerated() {
                        for group in 0..<groupCount {
                            let start = (index * groupCount + group) * encoding.bytesPerGroup
                            head(
                                row, group,
                                UnsafeMutableRawBufferPointer(
                                    rebasing: target[start..<start + headByteCount]))
                            let first = group * codeByteCount
                            for byte in first..<min(first + codeByteCount, lastByte) {
                                target[start + headByteCount + byte - first] =
                                    codes[index * codesPerRow + byte] ^ codeMask
                            }
                        }
                    }
                }
            }
        }
    }
}

extension TensorDescriptor {
    /// The type of scales that the IR's groups can hold.
    func scaleType() throws(ModelError) -> ScalarType {
        guard case .scalar(let type) = encoding, [.f16, .bf16, .f32].contains(type) else {
            throw ModelError("tensor '\(name)' is \(encoding) where F16, BF16 or F32 belongs")
        }
        return type
    }
}
