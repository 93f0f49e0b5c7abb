/// The constants of GGUF, and the limits that this package sets or repeats.
///
/// Specified in Formats/GGUF/SPECIFICATION.md.
public enum GGUF {
    /// The first four bytes of every file.
    public static let magic: [UInt8] = Array("GGUF".utf8)
    /// The version that is written.
    public static let version: UInt32 = 3
    /// The versions that are read. They differ in nothing that a little-endian file shows.
    public static let readableVersions: ClosedRange<UInt32> = 2...3
    /// The key whose UInt32 sets the alignment of tensor data.
    public static let alignmentKey = "general.alignment"
    /// The alignment of files that state none, in bytes.
    public static let defaultAlignment = 32
    /// The longest name of a tensor, in bytes of UTF-8: GGML keeps 64 with a terminating zero.
    public static let maximumTensorNameByteCount = 63
    /// GGML's tensors have so many dimensions.
    public static let maximumDimensionCount = 4
    /// The longest key, in bytes.
    public static let maximumKeyByteCount = 65535
    /// How deep arrays of arrays may nest. The reader's recursion is bounded by it.
    public static let maximumArrayDepth = 8

    /// The shape of the dimensions as the file has them, and the other way round.
    ///
    /// GGUF writes the innermost dimension first, everything else in this package has it last.
    /// This is the only place where the order turns.
    package static func turned<Dimension>(_ dimensions: [Dimension]) -> [Dimension] {
        dimensions.reversed()
    }

    /// `offset` rounded up to a multiple of `alignment`, or nil where that exceeds an `Int`.
    package static func aligned(_ offset: Int, to alignment: Int) -> Int? {
        let rest = offset % alignment
        guard rest > 0 else { return offset }
        let (sum, overflow) = offset.addingReportingOverflow(alignment - rest)
        return overflow ? nil : sum
    }
}

/// The types of metadata values, with the numbers that stand for them in a file.
enum GGUFValueType: UInt32 {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64
    case float64

    /// The fewest bytes that a value takes: strings and arrays start with a length.
    var minimumByteCount: Int {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64, .string: 8
        case .array: 12
        }
    }
}
