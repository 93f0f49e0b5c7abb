import DTZFormat
import Testing

/// What `xxhsum -H64` prints for the same bytes.
@Test(arguments: [
    (0, 0xEF46_DB37_51D8_E999), (1, 0xE934_A84A_DB05_2768), (4, 0x0), (31, 0), (32, 0), (1000, 0),
] as [(Int, UInt64)]) func xxh64IsThatOfOthers(count: Int, checksum: UInt64) {}
