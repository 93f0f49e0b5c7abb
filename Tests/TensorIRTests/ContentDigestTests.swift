import ByteIO
import TensorIR
import TestSupport
import Testing

/// Examples of FIPS 180-4 and NIST's CAVP.
@Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
]) func digestsAreThoseOfTheStandard(text: String, digest: String) {
    #expect(ContentDigest.sha256(Array(text.utf8)) == digest)
}

@Test func aFileHasTheDigestOfItsBytes() throws {
    let folder = try TemporaryFolder()
    let bytes = (0..<(1 << 24) + 4097).map { UInt8(truncatingIfNeeded: $0 &* 37 >> 3) }
    let file = try OutputFile(path: folder.path("file"))
    try file.write(bytes, at: 0)
    try file.commit()
    let mapped = try MappedFile(path: folder.path("file"))
    #expect(ContentDigest.sha256(mapped) == ContentDigest.sha256(bytes))
}

@Test func aMillionLettersHaveTheDigestOfTheStandard() {
    #expect(
        ContentDigest.sha256([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
            == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
}
