import TensorIR

/// The tensors in which GPTQ checkpoints hold a matrix of small integers.
///
/// For a linear layer `X` of `columns` inputs and `rows` outputs, with codes of `bits` bits in groups of
/// `groupSize` inputs (AutoGPTQ's checkpoint format "gptq", the one that vLLM and transformers load):
///
///     X.qweight  I32 (columns * bits / 32, rows)   codes along the inputs, least significant bit first
///     X.qzeros   I32 (groups, rows * bits / 32)    zero points minus one along the outputs, likewise
///     X.scales   F16 (groups, rows)
///     X.g_idx    I32 (columns)                     the group of each input
///
/// A column of `qweight` is one output's run of codes. Read downwards it is, byte for byte, the codes of
/// that row in the IR's form, whose groups are also packed from the least significant bit up.
struct GPTQLayout {
    let encoding: GroupedAffine
    let rows: Int
    let columns: Int

    var groupCount: Int { (columns + encoding.groupSize - 1) / encoding.groupSize }
    /// Of the IR's form.
    var byteCount: Int { rows * groupCount * encoding.bytesPerGroup }
    private var wordsPerRow: Int { columns * encoding.bits / 32 }
    private var wordsPerZeroRow: Int { rows * encoding.bits / 32 }
    private var codeBytesPerGroup: Int { encoding.groupSize * encoding.bits / 8 }
    private var mask: Int { (1 << encoding.bits) - 1 }

    /// - Throws: `ModelError` for sizes that do not fill whole words, which no loader accepts either.
    init(_ encoding: GroupedAffine, rows: Int, columns: Int, name: String) throws(ModelError) {
        guard [2, 3, 4, 8].contains(encoding.bits), encoding.scaleType == .f16,
            encoding.offset != .bias, encoding.element == .integer
        else { throw ModelError("GPTQ checkpoints hold 2, 3, 4 or 8 bits with scales in F16") }
        guard columns * encoding.bits % 32 == 0, rows * encoding.bits % 32 == 0,
            encoding.groupSize * encoding.bits % 8 == 0
        else {
            throw ModelError(
                "tensor '\(name)' of shape [\(rows), \(columns)] does not fill whole words of "
                    + "\(encoding.bits)-bit codes in groups of \(encoding.groupSize)")
        }
        (self.encoding, self.rows, self.columns) = (encoding, rows, columns)
    }

    /// The four tensors for the layer called `base`.
    func descriptors(base: String) -> [TensorDescriptor] {
        [
            ("qweight", [wordsPerRow, rows], ScalarType.i32),
            ("qzeros", [groupCount, wordsPerZeroRow], .i32),
            ("scales", [groupCount, rows], .f16), ("g_idx", [columns], .i32),
        ].compactMap { part, shape, type in
            TensorDescriptor(name: "\(base).\(part)", shape: shape, encoding: .scalar(type))
        }
    }

    // MARK: To the four tensors

    /// Spreads whole rows of the IR's form over the four tensors' bytes, in the order of `descriptors`.
    func scatter(_ source: UnsafeRawBufferPointer) -> [[UInt8]] {
        var codes = [UInt8](repeating: 0, count: wordsPerRow * rows * 4)
        var zeros = [UInt8](repeating: 0, count: groupCount * wordsPerZeroRow * 4)
        var scales = [UInt8](repeating: 0, count: groupCount * rows * 2)
        for row in 0..<rows {
            for group in 0..<groupCount {
                let start = (row * groupCount + group) * encoding.bytesPerGroup
                let scalePlace = (group * rows + row) * 2
                (scales[scalePlace], scales[scalePlace + 1]) = (source[start], source[start + 1])
                let zeroPoint =
                    encoding.offset == .zeroPoint
                    ? Int(source[start + 2]) : 1 << (encoding.bits - 1)
                store(
                    (zeroPoint - 1) & mask, in: &zeros,
                    atBit: group * wordsPerZeroRow * 32 + row * encoding.bits)
                let first = group * codeBytesPerGroup
                let count = min(codeBytesPerGroup, wordsPerRow * 4 - first)
                let codeStart = start + 2 + encoding.offsetByteCount
                for byte in 0..<count {
                    let (word, place) = (first + byte).quotientAndRemainder(dividingBy: 4)
                    codes[(word * rows + row) * 4 + place] = source[codeStart + byte]
                }
            }
        }
        let groups = (0..<columns).flatMap { column in
            withUnsafeBytes(of: Int32(column / encoding.groupSize).littleEndian) { [UInt8]($0) }
        }
        return [codes, zeros, scales, groups]
    }

    private func store(_ value: Int, in bytes: inout [UInt8], atBit bit: Int) {
        let shifted = UInt16(value) << UInt16(bit % 8)
        bytes[bit / 8] |= UInt8(truncatingIfNeeded: shifted)
        if shifted > 0xFF { bytes[bit / 8 + 1] |= UInt8(shifted >> 8) }
    }

    // MARK: From the four tensors

    /// Gathers one row into the IR's form.
    func gather(
        row: Int, codes: UnsafeRawBufferPointer, zeros: UnsafeRawBufferPointer,
        scales: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) {
        for group in 0..<groupCount {
            let start = group * encoding.bytesPerGroup
            let scalePlace = (group * rows + row) * 2
            (target[start], target[start + 1]) = (scales[scalePlace], scales[scalePlace + 1])
            let bit = group * wordsPerZeroRow * 32 + row * encoding.bits
            let high = bit / 8 + 1 < zeros.count ? UInt16(zeros[bit / 8 + 1]) : 0
            let window = (UInt16(zeros[bit / 8]) | high << 8) >> UInt16(bit % 8)
            if encoding.offset == .zeroPoint {
                target[start + 2] = UInt8((Int(window) + 1) & mask)
            }
            let codeStart = start + 2 + encoding.offsetByteCount
            for byte in 0..<codeBytesPerGroup {
                let (word, place) = (group * codeBytesPerGroup + byte)
                    .quotientAndRemainder(dividingBy: 4)
                target[codeStart + byte] =
                    word < wordsPerRow ? codes[(word * rows + row) * 4 + place] : 0
            }
        }
    }
}
