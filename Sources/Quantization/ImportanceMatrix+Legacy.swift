import ByteIO

/// The form of llama.cpp before GGUF, in files that are called `.dat`. Integers are 32 bits, signed:
///
///     entry count
///     for each entry:
///         length of the name, the name: UTF-8
///         call count
///         value count, the values: F32, Σ x² / tokens · call count
///     call count of the whole     absent in the oldest files
///     length, name of the text    absent in the oldest files
///
/// A call is a window of text, whose length the file does not say. The values of a tensor of experts
/// follow each other, under one call count; an expert that no token reached has ones.
extension ImportanceMatrix {
    /// Tokens in a window where a file does not say it: llama.cpp's default.
    static let defaultWindowSize = 512

    /// Reads a file of the older form.
    ///
    /// - Parameter bytes: the whole file.
    /// - Throws: `FormatError` naming the entry at fault.
    public init(legacy bytes: UnsafeRawBufferPointer) throws(FormatError) {
        self.init(windowSize: Self.defaultWindowSize)
        var reader = ByteReader(bytes, reading: "entry count")
        // Name, call count and one value are the least that an entry takes.
        let entryCount = try reader.positiveCount(ofElementsAtLeast: 16)
        for number in 0..<entryCount {
            reader.subject = "entry \(number)"
            let name = try reader.name()
            reader.subject = "entry '\(name.escapedForDisplay)'"
            let callCount = try reader.integer(Int32.self)
            guard callCount >= 0 else {
                throw reader.failure(.inconsistent, "claims \(callCount) calls")
            }
            let count = try reader.positiveCount(ofElementsAtLeast: 4)
            let tokens = Float(callCount) * Float(windowSize)
            let sums = try reader.squares(count, times: Float(windowSize))
            let entry = Entry(sumsOfSquares: sums, counts: [tokens])
            guard entries.updateValue(entry, forKey: ExactString(name)) == nil else {
                throw reader.failure(.duplicateName, "stands twice")
            }
            windowCount = max(windowCount, Int(callCount))
        }
        guard reader.remaining > 0 else { return }
        reader.subject = "call count"
        _ = try reader.integer(Int32.self)
        guard reader.remaining > 0 else { return }
        reader.subject = "name of the text"
        let dataset = try reader.name(mayBeEmpty: true)
        if !dataset.isEmpty { datasets = [dataset] }
        guard reader.remaining == 0 else {
            throw reader.failure(.inconsistent, "\(reader.remaining) bytes follow the last field")
        }
    }

    /// The bytes of a file of the older form. Counts become whole windows, and only the last text is
    /// named, as in llama.cpp's files; an entry that no token reached is left out.
    public func legacyBytes() -> [UInt8] {
        let windowSize = windowSize > 0 ? windowSize : Self.defaultWindowSize
        let stored = entries.filter { $0.value.reachedCount > 0 }.sorted { $0.key < $1.key }
        var bytes: [UInt8] = []
        bytes.append(Int32(clamping: stored.count))
        for (name, entry) in stored {
            bytes.append(name.string)
            let tokens = entry.counts.max() ?? 0
            // Rounded up: a zero would say that nothing is known.
            let calls = Int32(min((tokens / Float(windowSize)).rounded(.up), 0x1p30))
            bytes.append(calls)
            bytes.append(Int32(clamping: entry.sumsOfSquares.count))
            for matrix in entry.counts.indices {
                for mean in entry.means(ofMatrix: matrix) {
                    bytes.append(Int32(bitPattern: (mean * Float(calls)).bitPattern))
                }
            }
        }
        bytes.append(Int32(clamping: windowCount))
        bytes.append(datasets.last ?? "")
        return bytes
    }
}

extension ByteReader {
    /// A count that so many elements can still follow, at least one.
    fileprivate mutating func positiveCount(
        ofElementsAtLeast size: Int
    ) throws(FormatError) -> Int {
        let count = Int(try integer(Int32.self))
        guard count > 0 else { throw failure(.inconsistent, "claims \(count) elements") }
        guard count <= remaining / size else {
            throw failure(.limitExceeded, "claims \(count) elements, \(remaining) bytes remain")
        }
        return count
    }

    fileprivate mutating func name(mayBeEmpty: Bool = false) throws(FormatError) -> String {
        let length = Int(try integer(Int32.self))
        guard length > 0 || (mayBeEmpty && length == 0) else {
            throw failure(.inconsistent, "claims a name of \(length) bytes")
        }
        guard let name = String(validating: try take(length), as: UTF8.self) else {
            throw failure(.malformed, "has a name that is not UTF-8")
        }
        return name
    }

    /// Sums of squares, none of which may be negative, infinite or undefined.
    fileprivate mutating func squares(
        _ count: Int, times factor: Float
    ) throws(FormatError) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            let value = Float(bitPattern: try integer(UInt32.self)) * factor
            guard value >= 0, value.isFinite else {
                throw failure(.inconsistent, "has a negative or undefined value")
            }
            values.append(value)
        }
        return values
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ value: Int32) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// The length of the text, and the text.
    fileprivate mutating func append(_ text: String) {
        append(Int32(clamping: text.utf8.count))
        append(contentsOf: text.utf8)
    }
}
