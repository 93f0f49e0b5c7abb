import TensorIR

/// An encoding, or a row of one, that this package has no codec for.
public struct UnsupportedEncoding: Error, Sendable, Hashable, CustomStringConvertible {
    public let encoding: Encoding
    public let description: String

    init(_ encoding: Encoding, _ reason: String) {
        (self.encoding, description) = (encoding, "\(encoding): \(reason)")
    }
}

/// Turns rows of a tensor into floats and back, for one encoding and row width.
///
/// Decoding is exact where a float can hold the value, and otherwise rounds as the encoding's
/// definition says; for block encodings the results have the bits that the `gguf` package computes.
/// Encoding rounds each weight by itself, without looking at what it is good for; for block
/// encodings it writes the bytes of ggml's reference encoders. Values are used from any number of
/// threads.
public struct RowCodec: Sendable {
    public let encoding: Encoding
    /// Weights in a row.
    public let columns: Int
    /// Bytes of a row.
    public let rowByteCount: Int
    /// Whether `encode` may be called.
    public let canEncode: Bool

    private enum Implementation: Sendable {
        case scalar(ScalarType)
        case block(any BlockFormat.Type)
        case grouped(GroupedAffine)
    }
    private let implementation: Implementation

    /// Makes the codec for rows of `columns` weights.
    ///
    /// - Throws: `UnsupportedEncoding` when the encoding cannot be decoded, or when its blocks do not
    ///   divide the row.
    public init(_ encoding: Encoding, columns: Int) throws(UnsupportedEncoding) {
        guard let rowByteCount = encoding.byteCount(ofRow: columns) else {
            throw UnsupportedEncoding(
                encoding,
                "a row of \(columns) weights is not whole blocks of \(encoding.weightsPerBlock)")
        }
        (self.encoding, self.columns, self.rowByteCount) = (encoding, columns, rowByteCount)
        switch encoding {
        case .scalar(let type):
            implementation = .scalar(type)
            canEncode = type.isFloatingPoint
        case .block(let type):
            guard let format = type.format else {
                throw UnsupportedEncoding(encoding, "this block encoding cannot be decoded")
            }
            implementation = .block(format)
            canEncode = format is any EncodableBlockFormat.Type
        case .grouped(let grouped):
            implementation = .grouped(grouped)
            canEncode = true
        }
    }

    /// Decodes whole rows.
    ///
    /// - Precondition: `bytes` holds a whole number of rows, `weights` room for exactly their weights.
    public func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        checkCounts(bytes: bytes.count, weights: weights.count)
        switch implementation {
        case .scalar(let type): type.decode(bytes, into: weights)
        case .block(let format): format.decodeBlocks(bytes, into: weights)
        case .grouped(let grouped):
            forEachRow(bytes: bytes.count) { row in
                grouped.decode(
                    bytes.part(row, of: rowByteCount), into: weights.part(row, of: columns))
            }
        }
    }

    /// Encodes whole rows.
    ///
    /// - Precondition: `canEncode`; `weights` holds a whole number of rows, `bytes` room for exactly
    ///   their encoding.
    public func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        precondition(canEncode, "integers and some block encodings are only ever read")
        checkCounts(bytes: bytes.count, weights: weights.count)
        switch implementation {
        case .scalar(let type): type.encode(weights, into: bytes)
        case .block(let format):
            (format as? any EncodableBlockFormat.Type)?.encodeBlocks(weights, into: bytes)
        case .grouped(let grouped):
            forEachRow(bytes: bytes.count) { row in
                grouped.encode(
                    weights.part(row, of: columns), into: bytes.part(row, of: rowByteCount))
            }
        }
    }

    private func checkCounts(bytes: Int, weights: Int) {
        guard rowByteCount > 0 else { return precondition(bytes == 0 && weights == 0) }
        let (rows, rest) = bytes.quotientAndRemainder(dividingBy: rowByteCount)
        precondition(rest == 0 && weights == rows * columns, "not whole rows")
    }

    private func forEachRow(bytes: Int, _ body: (Int) -> Void) {
        guard rowByteCount > 0 else { return }
        for row in 0..<bytes / rowByteCount { body(row) }
    }
}
