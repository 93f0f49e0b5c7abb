import ByteIO
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A test's folder goes with all that is in it, and with nothing else: tests link to the repository.
@Test func whatALinkLeadsToOutlivesTheFolderWithTheLink() throws {
    let kept = try TemporaryFolder()
    try kept.write([1], to: "file")
    var folder: TemporaryFolder? = try TemporaryFolder()
    let path = try #require(folder?.path)
    #expect(symlink(kept.path, "\(path)/link") == 0)
    try folder?.write([2], to: "other")
    folder = nil
    #expect(!FileSystem.isFolder(path))
    #expect(try kept.names() == ["file"])
}
