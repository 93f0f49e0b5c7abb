import Architectures
import BlockFormats
import ByteIO
import Kernels
import Quantization
import TensorIR

extension ConversionPlan {
    /// Refuses what no grid can hold, under the name and in the row that the source has for it.
    ///
    /// All of the model is looked at, vectors and copied tensors too, before anything is computed from it:
    /// one weight that is no number would spoil every activation behind it.
    ///
    /// - Throws: `TensorQuantizationError` for the first such weight.
    func checkWeights(_ workers: Workers) throws {
        guard let model else { return }
        let checks = tensors.flatMap { tensor in
            let limit =
                tensor.isCopied || tensor.isRegridded
                ? Float.greatestFiniteMagnitude : tensor.target.encoding.largestWeight
            return (tensor.exported?.roles ?? []).compactMap { model.tensors[$0] }.map {
                WeightCheck(source: $0, limit: limit, encoding: tensor.target.encoding)
            }
        }
        try WeightCheck.perform(checks, workers, of: input.mappedFiles)
    }
}

extension LanguageModel {
    /// Refuses weights that are not finite.
    /// - Throws: `TensorQuantizationError` for the first such weight.
    func checkWeights(_ workers: Workers) throws {
        let checks = tensors.values.map {
            WeightCheck(
                source: $0, limit: .greatestFiniteMagnitude, encoding: $0.descriptor.encoding)
        }
        try WeightCheck.perform(checks, workers, of: MappedFiles([]))
    }
}

/// A tensor whose weights must be numbers.
private struct WeightCheck {
    let source: any TensorSource
    /// The largest magnitude that may be.
    let limit: Float
    /// What the weights shall become.
    let encoding: Encoding

    /// Looks at the rows of all tensors as one list, so that no thread waits at the end of each tensor.
    static func perform(
        _ checks: [WeightCheck], _ workers: Workers, of files: MappedFiles
    ) throws {
        let parts = checks.flatMap { check in
            let descriptor = check.source.descriptor
            let length = max(1, (1 << 20) / max(1, descriptor.rowByteCount))
            return (0..<descriptor.rows).cut(by: length).map { (check, $0) }
        }
        try workers.forEach(parts.count) { index in
            let (check, rows) = parts[index]
            try check.perform(rows)
            files.consumed(rows.count * check.source.descriptor.rowByteCount)
        }
    }

    private func perform(_ rows: Range<Int>) throws {
        let descriptor = source.descriptor
        let codec = try RowCodec(descriptor.encoding, columns: descriptor.columns)
        try source.withBytes(rows: rows) { bytes in
            guard !bytes.areWithin(limit, as: descriptor.encoding) else { return }
            let weights = Matrix(rows: rows.count, columns: descriptor.columns)
            defer { withExtendedLifetime(weights) {} }
            codec.decode(bytes, into: weights.elements)
            try UnsafeBufferPointer(weights.elements).checkWeights(
                limit: limit, for: encoding, columns: descriptor.columns,
                firstRow: rows.lowerBound, of: descriptor.name)
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether numbers of 16 bits are known to be finite and of magnitude `limit` at most, without decoding
    /// them; false where only decoding tells.
    fileprivate func areWithin(_ limit: Float, as encoding: Encoding) -> Bool {
        let half = Float16.greatestFiniteMagnitude
        switch encoding {
        case .scalar(.f16) where limit >= Float(half):
            return hasMagnitudes16(atMost: Int16(half.bitPattern))
        case .scalar(.bf16):
            return hasMagnitudes16(atMost: Int16(truncatingIfNeeded: limit.bitPattern >> 16))
        default: return false
        }
    }

    /// Whether floats of 16 bits, whose bits have the order of their magnitudes, are such; false also where
    /// they do not lie at even addresses.
    private func hasMagnitudes16(atMost limit: Int16) -> Bool {
        guard UInt(bitPattern: baseAddress).isMultiple(of: 2) else { return false }
        let bits = assumingMemoryBound(to: Int16.self)
        var largest: Int16 = 0
        for index in bits.indices { largest = Swift.max(largest, bits[index] & 0x7FFF) }
        return largest <= limit
    }
}

extension UnsafeBufferPointer<Float> {
    /// - Parameters:
    ///   - limit: the largest magnitude that may be.
    ///   - allowsNonFinite: whether infinities and NaN may be, too.
    ///   - encoding: what the weights shall become.
    ///   - columns: of the tensor, whole rows of which these are.
    ///   - firstRow: the row of the first weight.
    ///   - tensor: its name.
    /// - Throws: `TensorQuantizationError` for the first weight beyond the limit, or that is no number.
    func checkWeights(
        limit: Float, allowsNonFinite: Bool = false, for encoding: Encoding, columns: Int,
        firstRow: Int, of tensor: String
    ) throws(TensorQuantizationError) {
        guard let place = firstIndex(beyond: limit, allowsNonFinite: allowsNonFinite) else {
            return
        }
        let (row, column) = place.quotientAndRemainder(dividingBy: columns)
        throw TensorQuantizationError(
            tensor: tensor,
            error: self[place].isFinite
                ? .weightTooLarge(
                    row: firstRow + row, column: column, encoding: encoding.description)
                : .nonFiniteWeight(row: firstRow + row, column: column))
    }

    private func firstIndex(beyond limit: Float, allowsNonFinite: Bool) -> Int? {
        for start in Swift.stride(from: 0, to: count, by: 4096) {
            let end = Swift.min(start + 4096, count)
            // Magnitudes have the order of their bits, with infinity and NaN above all. A loop without
            // an exit is one that the compiler vectorizes.
            var largest: UInt32 = 0
            for index in start..<end {
                largest = Swift.max(largest, self[index].bitPattern & 0x7FFF_FFFF)
            }
            guard largest > limit.bitPattern else { continue }
            let place = self[start..<end].firstIndex {
                $0.isFinite ? $0.magnitude > limit : !allowsNonFinite
            }
            if let place { return place }
        }
        return nil
    }
}

extension Encoding {
    /// The largest magnitude that is sure to be held: what is larger may become infinite, or lose all of
    /// its neighbours to a scale that had to be capped.
    var largestWeight: Float {
        let half = Float(Float16.greatestFiniteMagnitude)
        return switch self {
        // Up to half a step beyond the largest number is rounded to it.
        case .scalar(.f16): Float(65520).nextDown
        case .scalar(.bf16): Float(bitPattern: 0x7F7F_7FFF)
        case .scalar, .block(.mxfp4), .block(.nvfp4): Float.greatestFiniteMagnitude
        case .block: half
        case .grouped(let grouped):
            grouped.scaleType == .f16 ? half : .greatestFiniteMagnitude
        }
    }
}
