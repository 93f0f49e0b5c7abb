import DTZFormat
import TestSupport
import Testing

/// The bytes 0, 7, 14 … modulo 256, whose checksums Formats/DTZ/dtz.py and `xxhsum -H64` agree on.
@Test(
    arguments: [
        (0, 0xEF46_DB37_51D8_E999),
        (1, 0xE934_A84A_DB05_2768),
        (3, 0x9FF7_0A63_5A62_09AB),
        (4, 0xAE5A_CDC0_0A55_AC41),
        (7, 0xD734_A6B2_6F3D_A63E),
        (8, 0x8711_6B33_65B9_24EB),
        (31, 0x0F18_7C62_B1E7_22B7),
        (32, 0x91B0_CB09_31A8_C629),
        (33, 0x931B_043C_F8D6_5B94),
        (63, 0x2191_10BF_13E2_FA26),
        (64, 0xBF30_52E3_4457_75D0),
        (1000, 0x2527_5608_A9CF_C168),
    ] as [(Int, UInt64)])
func xxh64IsThatOfTheSpecification(count: Int, checksum: UInt64) {
    #expect(XXH64.hash((0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }) == checksum)
}
