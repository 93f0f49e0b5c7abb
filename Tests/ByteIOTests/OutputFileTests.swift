import ByteIO
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Runs `body` with a folder of its own, which is empty again afterwards.
private func withFolder(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/detent-test-XXXXXX".utf8CString)
    let path = String(cString: try #require(mkdtemp(&template)))
    defer {
        for name in (try? FileSystem.names(inFolder: path)) ?? [] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
    try body(path)
}

@Test func outputAppearsOnlyWhenCommitted() throws {
    try withFolder { folder in
        let path = "\(folder)/out.bin"
        do {
            let file = try OutputFile(path: path)
            try file.write([1, 2, 3], at: 0)
            #expect(!FileSystem.exists(path))
        }
        #expect(try FileSystem.names(inFolder: folder).isEmpty)

        let file = try OutputFile(path: path)
        try file.write([3, 4], at: 2)
        try file.write([1, 2], at: 0)
        try file.commit()
        #expect(try MappedFile.contents(ofFile: path) == [1, 2, 3, 4])
    }
}

@Test func anOldOutputSurvivesAnAbandonedNewOne() throws {
    try withFolder { folder in
        let path = "\(folder)/out.bin"
        let old = try OutputFile(path: path)
        try old.write([7], at: 0)
        try old.commit()
        do { try OutputFile(path: path).write([8, 8], at: 0) }
        #expect(try MappedFile.contents(ofFile: path) == [7])
    }
}

@Test func namesThePathAndTheReason() throws {
    #expect { try MappedFile(path: "/nowhere/at/all") } throws: {
        "\($0)".contains("cannot open '/nowhere/at/all'")
    }
    try withFolder { folder in
        #expect(throws: SystemError.self) { try OutputFile(path: folder) }
        #expect(throws: SystemError.self) { try MappedFile(path: folder) }
    }
}

@Test func anEmptyFileIsEmpty() throws {
    try withFolder { folder in
        try OutputFile(path: "\(folder)/empty").commit()
        #expect(try MappedFile(path: "\(folder)/empty").bytes.isEmpty)
    }
}

@Test(arguments: [
    ("a/b", "a", "b"), ("b", ".", "b"), ("/b", "/", "b"), ("/a/b/c", "/a/b", "c"),
]) func pathsSplitAtTheLastSlash(path: String, folder: String, name: String) {
    #expect(splitPath(path) == (folder, name))
}

@Test func controlCharactersAreSpelledOut() {
    #expect("a\u{1B}[31mb\u{202E}".escapedForDisplay == "a\\u{1b}[31mb\\u{202e}")
}
